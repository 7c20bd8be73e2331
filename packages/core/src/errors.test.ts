import { describe, expect, test } from "vitest";
import { errorCodes, type ErrorCode } from "./error-codes.ts";
import { errorCode, errorMessage, HebraError } from "./errors.ts";

describe("HebraError", () => {
  test("takes retryable from the table unless told", () => {
    expect(new HebraError("THREAD_BUSY", "x").retryable).toBe(errorCodes.THREAD_BUSY.retryable);
    expect(new HebraError("THREAD_BUSY", "x", { retryable: false }).retryable).toBe(false);
    expect(new HebraError("NEWER_THAN_THIS" as ErrorCode, "x").retryable).toBe(false);
  });

  test("is recognised across copies of the package, and nothing else is", () => {
    const foreign = Object.defineProperty({ code: "TIMEOUT" }, Symbol.for("hebra.error"), { value: true });
    expect(HebraError.isInstance(foreign)).toBe(true);
    expect(errorCode(foreign)).toBe("TIMEOUT");
    for (const other of [new Error("x"), null, undefined, "TIMEOUT", { code: "TIMEOUT" }])
      expect(HebraError.isInstance(other)).toBe(false);
  });

  test("prints as JSON without its cause and stack", () => {
    const error = new HebraError("TIMEOUT", "Slow.", { cause: new Error("inner"), details: { ms: 5 } });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: "HebraError",
      code: "TIMEOUT",
      message: "Slow.",
      retryable: true,
      details: { ms: 5 },
    });
    expect(error.cause).toMatchObject({ message: "inner" });
  });

  test("every code has a summary and a fix, each a sentence", () => {
    for (const [code, { summary, fix }] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[A-Z][A-Z_]*$/);
      for (const text of [summary, fix]) expect(text, code).toMatch(/^[A-Z][^\n]*\.$/);
    }
  });
});

describe("errorMessage", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  test.each<[() => unknown, string]>([
    [() => new TypeError("boom"), "boom"],
    [() => "text", "text"],
    [() => ({ message: "from another realm" }), "from another realm"],
    [() => ({ a: 1 }), '{"a":1}'],
    [() => undefined, "undefined"],
    [() => null, "null"],
    [() => 7n, "[object BigInt]"],
    [() => cycle, "[object Object]"],
    [() => revoked.proxy, "[unreadable]"],
    [
      () => ({
        get message() {
          throw new Error("no");
        },
      }),
      "[object Object]",
    ],
  ])("reads anything thrown: case %#", (thrown, message) => {
    expect(errorMessage(thrown())).toBe(message);
  });
});
