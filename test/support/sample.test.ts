import fc from "fast-check";
import { expect, test } from "vitest";
import { draw, sample, seed, soak } from "@hebra/test-servers/sample";

const points = Array.from({ length: 53 }, (_, i) => `point ${i}`);

test("a sample is distinct points in their order, as many as were asked for, and the same for one seed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 53 }), fc.integer(), (count, from) => {
      const drawn = draw(points, count, from);
      expect(new Set(drawn).size).toBe(count);
      expect(drawn).toEqual(points.filter((point) => drawn.includes(point)));
      expect(draw(points, count, from)).toEqual(drawn);
    }),
    { seed: 7 },
  );
});

test("every point is drawn by some seed", () => {
  const seen = new Set(Array.from({ length: 200 }, (_, i) => draw(points, 12, i)).flat());
  expect(seen.size).toBe(points.length);
});

test("a soak plays every point, another run a sample", () => {
  expect(sample("a test", points, 12)).toHaveLength(soak ? 53 : 12);
  expect(sample("a test", points.slice(0, 3), 12)).toEqual(points.slice(0, 3));
});

test("the whole run shares one seed, which is printed at its start", () => {
  expect(process.env["HEBRA_SEED"]).toBe(String(seed));
});
