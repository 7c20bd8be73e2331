import { HebraError } from "@hebra/core";
import { InvalidPromptError, LoadAPIKeyError, RetryError, TypeValidationError } from "ai";
import { describe, expect, it } from "vitest";
import { cleanText } from "./clean-error.ts";
import { toModelError } from "./errors.ts";
import { apiError } from "./mock-model.ts";

const now = () => Date.parse("2026-01-01T00:00:00Z");
const wrap = (error: unknown, signal = new AbortController().signal) => toModelError(error, signal, now);

describe("toModelError", () => {
  it.each<[string, unknown, object]>([
    [
      "an answer of the provider",
      apiError(503),
      { retryable: true, details: { error: "AI_APICallError", status: 503 } },
    ],
    ["a refusal", apiError(400), { retryable: false, details: { status: 400 } }],
    [
      "the last of several tries",
      new RetryError({
        message: "Failed after 3 attempts.",
        reason: "maxRetriesExceeded",
        errors: [apiError(500), apiError(429, { "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" })],
      }),
      { retryable: true, details: { status: 429, retryAfterMs: 5000 } },
    ],
    ["a missing key", new LoadAPIKeyError({ message: "API key is missing." }), { retryable: false }],
    [
      "a prompt that cannot be",
      new InvalidPromptError({ prompt: "secret words", message: "no messages" }),
      { retryable: false },
    ],
    [
      "a broken line",
      Object.assign(new TypeError("terminated"), { code: "ECONNRESET" }),
      { retryable: true, message: "The model call failed: terminated" },
    ],
    [
      "a plain object",
      { type: "overloaded_error", message: "Overloaded", request: "private" },
      { retryable: true, message: "The model call failed: Overloaded" },
    ],
    ["a string", "gone", { message: "The model call failed: gone" }],
    ["nothing", undefined, { message: "The model call failed: no message was given" }],
    ["a proxy's error with a status", { message: "Teapot", statusCode: 418 }, { retryable: false }],
  ])("wraps %s", (_, error, expected) => {
    const wrapped = wrap(error);
    expect(wrapped).toMatchObject({ code: "REACTOR_FAILED", ...expected });
    expect(wrapped.cause).toBeInstanceOf(Error);
    expect(Object.keys(wrapped.cause as object).every((key) => ["name", "code"].includes(key))).toBe(true);
    expect(wrap(wrapped)).toBe(wrapped);
  });

  it("keeps the chain of causes, cleaned, and the frames", () => {
    const inner = new TypeError("connect to https://host.example/?token=abc failed");
    const { cause } = wrap(new Error("outer", { cause: inner }));
    expect((cause as Error).cause).toMatchObject({
      name: "TypeError",
      message: "connect to https://host.example/ failed",
    });
    expect((cause as Error).stack).toMatch(/^Error: outer\n\s+at .*errors\.test/);
    const loop = new Error("loop");
    loop.cause = loop;
    expect(wrap(loop).message).toContain("loop");
  });

  it("says that the step was aborted, whatever was thrown then", () => {
    expect(wrap(apiError(500), AbortSignal.abort())).toMatchObject({ code: "ABORTED", retryable: false });
  });

  it("passes typed errors on", () => {
    const own = new HebraError("MODEL_UNSUPPORTED", "no");
    expect(wrap(own)).toBe(own);
  });
});

describe("cleanText", () => {
  it.each([
    ["see https://user:pw@a.example/v1?key=1#x for more", "see https://a.example/v1 for more"],
    ["Incorrect API key provided: sk-proj-abcdef1234567890abcdef", "Incorrect API key provided: [redacted:key]"],
    ["sent Bearer abcdefghij", "sent Bearer [redacted]"],
    ["the token limit of 4096 was passed", "the token limit of 4096 was passed"],
  ])("%s", (text, clean) => expect(cleanText(text)).toBe(clean));

  it("drops what an error quotes of the conversation, and the rest of long messages", () => {
    const error = new TypeValidationError({ value: { secret: "my diagnosis" }, cause: new Error("bad shape") });
    expect(error.message).toContain("my diagnosis");
    expect(wrap(error).message).not.toContain("diagnosis");
    expect(cleanText("x".repeat(10_000)).length).toBeLessThan(700);
  });
});
