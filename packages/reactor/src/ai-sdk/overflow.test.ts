import assert from "node:assert/strict";
import { APICallError } from "ai";
import { test } from "vitest";
import { toModelError } from "./errors.ts";

const refuse = (status: number | undefined, message: string, data?: unknown) => {
  const error =
    status === undefined
      ? Object.assign(new Error(message), data as object)
      : new APICallError({
          message,
          url: "https://api.example/v1",
          requestBodyValues: {},
          statusCode: status,
          data,
          responseBody: JSON.stringify(data),
        });
  return toModelError(error, new AbortController().signal, () => 0);
};

const known: readonly [name: string, status: number | undefined, message: string, data: unknown, details: object][] = [
  [
    "Anthropic",
    400,
    "prompt is too long: 208310 tokens > 200000 maximum",
    { error: { type: "invalid_request_error" } },
    { promptTokens: 208_310, maxTokens: 200_000 },
  ],
  [
    "Anthropic, over its size limit",
    413,
    "Request exceeds the maximum size",
    { error: { type: "request_too_large" } },
    {},
  ],
  [
    "Anthropic, with its output",
    400,
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
    {},
    { promptTokens: 188_240, maxTokens: 200_000 },
  ],
  [
    "OpenAI chat",
    400,
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130123 tokens. Please reduce the length of the messages.",
    { error: { code: "context_length_exceeded" } },
    { promptTokens: 130_123, maxTokens: 128_000 },
  ],
  [
    "OpenAI Responses",
    400,
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    { error: { code: "context_length_exceeded" } },
    {},
  ],
  [
    "OpenAI Responses, in the stream",
    undefined,
    "Your input exceeds the context window of this model.",
    { type: "error", code: "context_length_exceeded" },
    {},
  ],
  [
    "Google",
    400,
    "The input token count (1050000) exceeds the maximum number of tokens allowed (1048576).",
    { error: { status: "INVALID_ARGUMENT" } },
    { promptTokens: 1_050_000, maxTokens: 1_048_576 },
  ],
  ["Bedrock", 400, "Input is too long for requested model.", {}, {}],
  [
    "xAI",
    400,
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    {},
    { promptTokens: 537_812, maxTokens: 131_072 },
  ],
  [
    "Mistral",
    400,
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    {},
    { promptTokens: 40_000, maxTokens: 32_768 },
  ],
];

for (const [name, status, message, data, details] of known)
  test(`${name}: a refused prompt is PROMPT_TOO_LONG, with what the provider says of its size [RE-9]`, () => {
    const error = refuse(status, message, data);
    assert.deepEqual([error.code, error.retryable], ["PROMPT_TOO_LONG", false]);
    const { promptTokens, maxTokens } = error.details;
    assert.deepEqual(JSON.parse(JSON.stringify({ promptTokens, maxTokens })), details);
  });

for (const [name, status, message] of [
  ["a rate limit in tokens", 429, "Rate limit reached: maximum context length is 10 tokens"],
  ["a bad schema", 400, "Invalid schema for function 'find': too long a name"],
  ["an outage", 503, "Please reduce the length of the messages"],
] as const)
  test(`${name} is not a prompt that is too long [RE-9]`, () => {
    assert.equal(refuse(status, message).code, "REACTOR_FAILED");
  });
