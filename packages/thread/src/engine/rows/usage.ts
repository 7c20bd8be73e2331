import type { Usage } from "@hebra/reactor";

/** Adds what was reported; what was never reported stays out. */
export function addUsage<T extends Usage>(sum: T, more: Usage): T {
  const result: T = { ...sum };
  const totals: Usage = result;
  for (const key of ["inputTokens", "outputTokens", "cachedInputTokens", "reasoningTokens", "costUsd"] as const) {
    const value = more[key];
    if (value !== undefined) totals[key] = (sum[key] ?? 0) + value;
  }
  if (more.provider !== undefined) result.provider = more.provider;
  if (more.model !== undefined) result.model = more.model;
  return result;
}
