import { HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { isPermanent, judge, retryAfterOf } from "./retry-policy.ts";

const retry = { maxAttempts: 3, maxAgeMs: 1_000, baseMs: 100, capMs: 150, onExhausted: "dead-letter" as const };
const failed = { attempt: 1, ageMs: 0, messages: 1 };

describe("judge", () => {
  it("retries with full jitter under a cap, never sooner than asked for", () => {
    expect(judge(failed, {}, retry, () => 0.5, 0)).toEqual({ kind: "retry", delayMs: 50 });
    expect(judge({ ...failed, attempt: 2 }, {}, retry, () => 0.999, 0)).toEqual({ kind: "retry", delayMs: 149 });
    expect(judge(failed, { error: { responseHeaders: { "retry-after": "7" } } }, retry, () => 0, 0)).toEqual({
      kind: "retry",
      delayMs: 7_000,
    });
    expect(judge(failed, { delayMs: 12.4 }, retry, () => 0, 0)).toEqual({ kind: "retry", delayMs: 12 });
  });

  it("buries what is permanent, exhausted or too old; a batch is isolated first", () => {
    expect(judge(failed, { permanent: true }, retry, Math.random, 0)).toEqual({ kind: "bury", cause: "permanent" });
    expect(judge({ ...failed, attempt: 3 }, {}, retry, Math.random, 0)).toEqual({ kind: "bury", cause: "exhausted" });
    expect(judge({ ...failed, ageMs: 1_001 }, { delayMs: 5 }, retry, Math.random, 0)).toEqual({
      kind: "bury",
      cause: "too-old",
    });
    expect(judge({ ...failed, messages: 2, ageMs: 1_001 }, { permanent: true }, retry, Math.random, 0)).toEqual({
      kind: "retry",
      delayMs: 0,
    });
    expect(judge({ ...failed, messages: 2, attempt: 3 }, {}, retry, Math.random, 0)).toEqual({
      kind: "bury",
      cause: "exhausted",
    });
  });
});

describe("errors", () => {
  it("say whether they are permanent", () => {
    expect(isPermanent(new HebraError("ACTION_INPUT_INVALID", "no"))).toBe(true);
    expect(isPermanent(new HebraError("TIMEOUT", "late"))).toBe(false);
    expect(isPermanent({ isRetryable: false })).toBe(true);
    expect([new Error("?"), undefined, "text"].map(isPermanent)).toEqual([false, false, false]);
  });

  it("say when to come back, anywhere in the chain of causes", () => {
    const limited = Object.assign(new Error("429"), { retryAfterMs: 900 });
    expect(retryAfterOf(new Error("outer", { cause: new Error("inner", { cause: limited }) }), 0)).toBe(900);
    expect(retryAfterOf(new Error("nothing"), 0)).toBeUndefined();
  });
});
