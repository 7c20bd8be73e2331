import { describe, expect, it } from "vitest";
import type { JsonObject } from "@hebra/core";
import { usageV3 } from "./mock-model.ts";
import { toUsage } from "./usage.ts";

const none = usageV3(undefined, undefined);
const counts = (inputTokens: number, outputTokens: number, cachedInputTokens?: number, reasoningTokens?: number) => ({
  inputTokens,
  outputTokens,
  ...(cachedInputTokens === undefined ? {} : { cachedInputTokens }),
  ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
});

describe("toUsage", () => {
  it("takes the provider's counts", () => {
    expect(
      toUsage(
        {
          inputTokens: { total: 9, noCache: 5, cacheRead: 4, cacheWrite: 0 },
          outputTokens: { total: 5, text: 2, reasoning: 3 },
        },
        undefined,
        {},
      ),
    ).toEqual(counts(9, 5, 4, 3));
  });

  it.each<[string, JsonObject, object]>([
    [
      "OpenAI, chat",
      {
        prompt_tokens: 10,
        completion_tokens: 6,
        prompt_tokens_details: { cached_tokens: 8 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
      counts(10, 6, 8, 2),
    ],
    [
      "OpenAI, responses",
      {
        input_tokens: 10,
        output_tokens: 6,
        input_tokens_details: { cached_tokens: 8 },
        output_tokens_details: { reasoning_tokens: 2 },
      },
      counts(10, 6, 8, 2),
    ],
    [
      "Anthropic",
      { input_tokens: 10, output_tokens: 6, cache_read_input_tokens: 80, cache_creation_input_tokens: 5 },
      counts(95, 6, 80),
    ],
    [
      "Google",
      { promptTokenCount: 10, candidatesTokenCount: 6, thoughtsTokenCount: 3, cachedContentTokenCount: 8 },
      counts(10, 9, 8, 3),
    ],
    ["Bedrock", { inputTokens: 10, outputTokens: 6, cacheReadInputTokens: 7 }, counts(17, 6, 7)],
    ["nothing that is known", { tokens: 5, input_tokens: "5", output_tokens: -1 }, {}],
  ])("falls back on the raw report of %s", (_, raw, expected) =>
    expect(toUsage({ ...none, raw }, undefined, {})).toEqual(expected),
  );

  it("has the cost that the gateway says, else the host's price, else none", () => {
    const usage = usageV3(1000, 100);
    const price = ({ inputTokens = 0, model }: { inputTokens?: number; model?: string }) =>
      model === "acme-1" ? inputTokens / 1e6 : undefined;
    expect(
      toUsage(usage, { openrouter: { usage: { cost: 0.25 } } }, { provider: "p", model: "acme-1" }, price),
    ).toEqual({ ...counts(1000, 100), provider: "p", model: "acme-1", costUsd: 0.25 });
    expect(toUsage(usage, { gateway: { cost: "0.0045" } }, {}).costUsd).toBe(0.0045);
    expect(toUsage(usage, { gateway: { cost: "" } }, { model: "acme-1" }, price).costUsd).toBe(0.001);
    expect(toUsage(usage, undefined, { model: "other" }, price)).not.toHaveProperty("costUsd");
  });
});
