import type { GuardName } from "./types.ts";

const TURNS = "Return the engine's turn from the handlers of `route()`, or pass `outcome` there.";

/** What a host does so that a guard has data. */
export const feeds: Readonly<Partial<Record<GuardName, string>>> = {
  errors: TURNS,
  incomplete: TURNS,
  latency: TURNS,
  unknown: TURNS,
  critical: TURNS,
  "error-ceiling": TURNS,
  "latency-ceiling": TURNS,
  "frozen-baseline": TURNS,
  "sample-ratio": "Give the collector's observer to `createRouter`.",
  silence: "Give the collector's observer to `createRouter`.",
  "action-failures": "Return the engine's turn, or give `calls` in the outcome, on both engines.",
  cost: "Report `usage.costUsd` in the engine's result, or give `cost` in the outcome, on both engines.",
  steps: "Report `usage.steps` in the engine's result, or give `steps` in the outcome, on both engines.",
  persistence:
    "Return the engine's turn handle from `next`, or call `verified(flag, complete)` of the collector for finished executions.",
};
