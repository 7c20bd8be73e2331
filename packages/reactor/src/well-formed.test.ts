import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTextMender, wellFormedJson } from "./well-formed.ts";

describe("createTextMender", () => {
  it("gives the same text as mending it whole, in well-formed pieces, wherever it is cut", () => {
    const unit = fc.oneof(fc.constantFrom("\ud83d", "\ude00", "\u{1f600}", "a", "\u0000"), fc.string({ maxLength: 2 }));
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 12 }).map((units) => units.join("")),
        fc.array(fc.nat(12), { maxLength: 5 }),
        (text, cuts) => {
          const mender = createTextMender();
          const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, text.length)), text.length])].sort(
            (a, b) => a - b,
          );
          const pieces = [...places.slice(1).map((end, i) => mender.push(text.slice(places[i], end))), mender.end()];
          expect(pieces.join("")).toBe(text.toWellFormed());
          expect(pieces.every((piece) => piece.isWellFormed())).toBe(true);
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe("wellFormedJson", () => {
  it("mends strings and keys at any depth, and returns sound values as they are", () => {
    const sound = { a: ["\u{1f600}", { b: null }], c: 1 };
    expect(wellFormedJson(sound)).toBe(sound);
    expect(wellFormedJson({ ["k\ud83d"]: ["v\ude00", 1], d: "ok" })).toEqual({ "k\ufffd": ["v\ufffd", 1], d: "ok" });
  });
});
