import type { JsonObject, JsonValue } from "@hebra/core";
import type { Usage } from "../events.ts";
import type { StreamPartOf } from "./specification.ts";

/** What is known of the model that answered. */
export interface AnsweredBy {
  provider?: string | undefined;
  model?: string | undefined;
}

/** Prices an answer, in United States dollars; `undefined` when the price is not known. */
export type PriceUsage = (usage: Usage) => number | undefined;

type Count = "inputTokens" | "outputTokens" | "cachedInputTokens" | "reasoningTokens";

/**
 * How providers spell the counts in their raw reports. Several paths of one row are added up; the first row that has
 * any wins.
 */
const spellings: Readonly<Record<Count, readonly (readonly string[])[]>> = {
  inputTokens: [
    ["prompt_tokens"],
    ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"],
    ["promptTokenCount", "toolUsePromptTokenCount"],
    ["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"],
    ["promptTokens"],
  ],
  outputTokens: [
    ["completion_tokens"],
    ["output_tokens"],
    ["candidatesTokenCount", "thoughtsTokenCount"],
    ["outputTokens"],
    ["completionTokens"],
  ],
  cachedInputTokens: [
    ["prompt_tokens_details.cached_tokens"],
    ["input_tokens_details.cached_tokens"],
    ["cache_read_input_tokens"],
    ["cachedContentTokenCount"],
    ["cacheReadInputTokens"],
    ["prompt_cache_hit_tokens"],
  ],
  reasoningTokens: [
    ["completion_tokens_details.reasoning_tokens"],
    ["output_tokens_details.reasoning_tokens"],
    ["thoughtsTokenCount"],
  ],
};

/** Where gateways say what an answer cost, in dollars. */
const costs = ["openrouter.usage.cost", "gateway.cost"] as const;

/** The provider's counts; where it has none, what the provider's raw report says. Never a guess. */
export function toUsage(
  { inputTokens: input, outputTokens: output, raw: report }: StreamPartOf<"finish">["usage"],
  metadata: unknown,
  by: AnsweredBy,
  price?: PriceUsage,
): Usage {
  const raw = report as JsonObject | undefined;
  const counts: Record<Count, number | undefined> = {
    inputTokens: input.total,
    outputTokens: output.total,
    cachedInputTokens: input.cacheRead,
    reasoningTokens: output.reasoning,
  };
  const result: Usage = {};
  for (const key of Object.keys(counts) as Count[]) {
    const value = countOf(counts[key]) ?? fromRaw(raw, spellings[key]);
    if (value !== undefined) result[key] = value;
  }
  if (by.provider !== undefined) result.provider = by.provider;
  if (by.model !== undefined) result.model = by.model;
  const cost = reportedCost(metadata as JsonObject | undefined) ?? countOf(price?.({ ...result }));
  if (cost !== undefined) result.costUsd = cost;
  return result;
}

function fromRaw(raw: JsonObject | undefined, rows: readonly (readonly string[])[]): number | undefined {
  if (raw === undefined) return undefined;
  for (const row of rows) {
    const found = row.map((path) => countOf(at(raw, path)));
    if (found[0] !== undefined) return found.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }
  return undefined;
}

function reportedCost(metadata: JsonObject | undefined): number | undefined {
  for (const path of costs) {
    const value = metadata === undefined ? undefined : at(metadata, path);
    const cost = countOf(typeof value === "string" && value.trim() !== "" ? Number(value) : value);
    if (cost !== undefined) return cost;
  }
  return undefined;
}

function at(object: JsonObject, path: string): JsonValue | undefined {
  let current: JsonValue | undefined = object;
  for (const key of path.split("."))
    current = typeof current === "object" && current !== null && !Array.isArray(current) ? current[key] : undefined;
  return current;
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
