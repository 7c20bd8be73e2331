import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { createFenceSource, nextFence } from "./fence.ts";

test("a fence is the microseconds of the clock, or one more than the last where that is ahead", () => {
  assert.equal(nextFence(0, 1_767_225_600_000.25), 1_767_225_600_000_250);
  assert.equal(nextFence(1_767_225_600_000_250, 1_767_225_600_000.25), 1_767_225_600_000_251);
  assert.equal(nextFence(2 ** 52, 0), 2 ** 52 + 1);
});

test("fences of a key grow whatever the clock does and whatever is seeded within a day", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    forward: fc.integer({ min: -5000, max: 5000 }),
    seed: fc.option(fc.integer({ min: -1_000_000, max: 50_000_000 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const source = createFenceSource();
      const last = new Map<string, number>();
      let now = 1_767_225_600_000;
      for (const { key, forward, seed } of steps) {
        now += forward;
        if (seed !== null) {
          source.seed(key, now * 1000 + seed, now);
          last.set(key, Math.max(last.get(key) ?? 0, now * 1000 + seed));
        }
        const fence = source.next(key, now);
        assert.ok(fence > (last.get(key) ?? 0));
        last.set(key, fence);
      }
    }),
    { numRuns: 500, seed: 20_261_121 },
  );
});

test("a key that is ahead has a count of its own, which leaves the others alone and is forgotten when it is caught up with or old", () => {
  const source = createFenceSource();
  const now = 1_767_225_600_000;
  source.seed("ahead", (now + 10_000) * 1000, now);
  source.seed("behind", 5, now);
  assert.ok(source.next("behind", now) < (now + 1) * 1000);
  assert.equal(source.next("ahead", now), (now + 10_000) * 1000 + 1);
  assert.equal(source.size(), 1);
  source.next("behind", now + 1);
  source.next("ahead", now + 20_000);
  assert.equal(source.size(), 0);
  source.seed("far", 2 ** 52, now);
  source.seed("farther", 2 ** 52, now + 86_400_001);
  source.next("farther", now + 86_400_001);
  assert.equal(source.size(), 1, "far is forgotten, farther remains");
});
