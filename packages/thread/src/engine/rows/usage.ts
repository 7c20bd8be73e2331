import type { Usage } from "@hebra/reactor";
import { storableText } from "../../definition/storable.ts";

const amounts = ["inputTokens", "outputTokens", "cachedInputTokens", "reasoningTokens", "costUsd"] as const;

/** What a reactor reports, as far as it can be kept: what is no amount was not measured. */
export function keptUsage(usage: Usage): Usage {
  const kept: Usage = {};
  for (const key of amounts) {
    const value: unknown = usage[key];
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) kept[key] = value;
  }
  if (usage.provider !== undefined) kept.provider = storableText(usage.provider);
  if (usage.model !== undefined) kept.model = storableText(usage.model);
  return kept;
}

/** Adds what was reported; what was never reported stays out. */
export function addUsage<T extends Usage>(sum: T, more: Usage): T {
  const result: T = { ...sum };
  const totals: Usage = result;
  for (const key of amounts) {
    const value = more[key];
    if (value !== undefined) totals[key] = (sum[key] ?? 0) + value;
  }
  if (more.provider !== undefined) result.provider = more.provider;
  if (more.model !== undefined) result.model = more.model;
  return result;
}
