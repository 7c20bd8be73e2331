import { readFileSync } from "node:fs";
import { shared } from "@hebra/test-servers/shared";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketAfter, hashPrefix, murmur3 } from "./murmur.ts";

const { path: file, present } = shared("suites/hash-vectors/murmur3-x86-32-utf8.json");

describe("murmur3 x86-32 over UTF-8", () => {
  it.skipIf(!present)(
    "gives the hash and the bucket of every published vector (needs ../shared/suites/hash-vectors)",
    () => {
      const { vectors } = JSON.parse(readFileSync(file, "utf8")) as {
        vectors: { input: string; seed: number; hash: number; bucket100000: number }[];
      };
      expect(vectors.length).toBeGreaterThan(20);
      for (const vector of vectors) {
        expect(murmur3(vector.input, vector.seed), vector.input).toBe(vector.hash);
        if (vector.seed === 0)
          expect(bucketAfter(hashPrefix(""), vector.input), vector.input).toBe(vector.bucket100000);
      }
    },
  );

  it("knows the reference's own test values", () => {
    expect(murmur3("", 0)).toBe(0);
    expect(murmur3("", 1)).toBe(0x514e28b7);
    expect(murmur3("", 0xffffffff)).toBe(0x81f16f39);
    expect(murmur3("Hello, world!", 0x9747b28c)).toBe(0x24884cba);
    expect(murmur3("ππππππππ", 0x9747b28c)).toBe(0xd58063c1);
  });

  it("is the same wherever the string is cut into prefix and unit, for any string", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme-ascii", maxLength: 70 }),
      fc.string({ unit: "grapheme" }),
    );
    fc.assert(
      fc.property(text, text, (prefix, unit) => {
        // Only a surrogate pair that the cut itself tears apart is another string.
        fc.pre(!/[\ud800-\udbff]$/.test(prefix));
        expect(bucketAfter(hashPrefix(prefix), unit)).toBe(Math.floor((murmur3(prefix + unit) * 100_000) / 2 ** 32));
      }),
      { seed: 5, numRuns: 5_000 },
    );
  });

  it("counts a lone surrogate as U+FFFD, as TextEncoder does", () => {
    for (const lone of ["\ud800", "a\udc00b", "\udbff\udbff\udfff"]) {
      expect(bucketAfter(hashPrefix("s:"), lone)).toBe(Math.floor((murmur3(`s:${lone}`) * 100_000) / 2 ** 32));
    }
  });

  it("spreads evenly: chi square of 100 slices over 100,000 ids stays under the 99.9 % quantile", () => {
    const counts = new Array<number>(100).fill(0);
    const prefix = hashPrefix("engine-v2:");
    for (let id = 0; id < 100_000; id++) counts[Math.floor(bucketAfter(prefix, `session-${id}`) / 1000)]!++;
    const chi = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chi).toBeLessThan(148.2);
  });
});
