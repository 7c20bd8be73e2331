import fc from "fast-check";
import { v5 } from "uuid";
import { describe, expect, test } from "vitest";
import { createManualClock } from "./clock.ts";
import { assertId, createIdGenerator, deriveId, HEBRA_NAMESPACE } from "./id.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([57])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const parts = fc.array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 5 });

describe("deriveId", () => {
  // The value is Python's uuid.uuid5 of the namespace and "item/acme/award_42": changing it would rename every row.
  test("is the UUIDv5 that any other implementation makes", () => {
    expect(deriveId("item", "acme", "award_42")).toBe("e7fc0f6e-332b-51f9-aa30-f5fd834d371e");
  });

  test("is what the library makes of the same name", () => {
    fc.assert(
      fc.property(parts, (given) => {
        expect(deriveId(...given)).toBe(v5(given.map(encodeURIComponent).join("/"), HEBRA_NAMESPACE));
      }),
      { seed: 20261128, numRuns: 500 },
    );
  });

  test("is a function of the parts, and different lists do not collide", () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(deriveId(...a)).toMatch(UUID);
        expect(deriveId(...a) === deriveId(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { seed: 20261121, numRuns: 500 },
    );
    expect(deriveId("a/b")).not.toBe(deriveId("a", "b"));
    expect(deriveId("a", "")).not.toBe(deriveId("a"));
    expect(deriveId("a%2Fb")).not.toBe(deriveId("a/b"));
    expect(deriveId(7)).toBe(deriveId("7"));
  });

  test("refuses what names nothing", () => {
    expect(() => deriveId()).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
    expect(() => deriveId("\ud800")).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
  });
});

describe("createIdGenerator", () => {
  test.each([
    ["the system's clock", undefined],
    ["a clock that stands still", createManualClock()],
  ])("sorts by making on %s", (_name, clock) => {
    const next = createIdGenerator(clock);
    const ids = Array.from({ length: 2_000 }, next);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(UUID);
  });

  test("sorts also when the clock is set back, and carries the clock's time", () => {
    let now = 1_800_000_000_000;
    const next = createIdGenerator({ now: () => now });
    const first = next();
    now -= 60_000;
    const second = next();
    now += 120_000;
    const third = next();
    expect([third, first, second].sort()).toEqual([first, second, third]);
    expect(Number.parseInt(third.replaceAll("-", "").slice(0, 12), 16)).toBe(now);
  });
});

describe("assertId", () => {
  test("accepts exactly the strings that every store can keep", () => {
    const holds = (value: string) =>
      value.length > 0 && value.length <= 512 && !value.includes("\0") && value.isWellFormed();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 600 }),
          fc.constantFrom("", "\0", "a\0", "\ud800", "x".repeat(512), "x".repeat(513)),
        ),
        (value) => {
          let accepted = true;
          try {
            assertId(value, "thread key");
          } catch (error) {
            expect(error).toMatchObject({ code: "INVALID_ID", details: { what: "thread key" } });
            accepted = false;
          }
          expect(accepted).toBe(holds(value));
        },
      ),
      { seed: 3, numRuns: 500 },
    );
  });

  test.each([
    [null, "is null"],
    [undefined, "is undefined"],
    [7, "is number"],
    ["", "is empty"],
    ["x".repeat(513), "has 513 characters; at most 512"],
    ["a\0", "holds U+0000"],
    ["\udc00", "holds a lone surrogate"],
  ])("says what is wrong: case %#", (value, problem) => {
    expect(() => assertId(value, "tenant")).toThrow(`The tenant ${problem}`);
  });
});
