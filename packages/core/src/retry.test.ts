import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffDelay, parseRetryAfter } from "./retry.ts";

describe("backoffDelay", () => {
  test("stays within full jitter's bounds and reaches both ends", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.nat(10_000),
        fc.nat(100_000),
        fc.nat(60_000),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (attempt, baseMs, maxMs, retryAfterMs, drawn) => {
          const ceiling = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
          const delay = backoffDelay({ attempt, baseMs, maxMs, retryAfterMs, random: () => drawn });
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(retryAfterMs);
          expect(delay).toBeLessThanOrEqual(retryAfterMs + (Number.isNaN(ceiling) ? maxMs : ceiling));
          expect(backoffDelay({ attempt, baseMs, maxMs, retryAfterMs, random: () => 0 })).toBe(retryAfterMs);
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  test("doubles up to the cap", () => {
    const delays = [1, 2, 3, 4, 5, 2_000].map((attempt) =>
      backoffDelay({ attempt, baseMs: 100, maxMs: 1_000, random: () => 0.5 }),
    );
    expect(delays).toEqual([50, 100, 200, 400, 500, 500]);
  });

  test.each([
    { attempt: 0 },
    { attempt: 1.5 },
    { attempt: NaN },
    { baseMs: -1 },
    { maxMs: Infinity },
    { retryAfterMs: NaN },
  ])("refuses %j", (wrong) => {
    expect(() => backoffDelay({ attempt: 1, baseMs: 1, maxMs: 1, ...wrong })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
  });
});

describe("parseRetryAfter", () => {
  const now = Date.UTC(2026, 10, 21, 12);
  test.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["1.5", 1_500],
    ["Sat, 21 Nov 2026 12:00:30 GMT", 30_000],
    ["Sat, 21 Nov 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    ["", undefined],
    [null, undefined],
    [undefined, undefined],
  ])("reads %j as %s", (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });
});
