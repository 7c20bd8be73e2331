import { critical, persistence } from "./at-once.ts";
import { errorCeiling, latencyCeiling } from "./ceiling.ts";
import { cost, incomplete, steps } from "./drift.ts";
import { frozenBaseline } from "./frozen-baseline.ts";
import { actionFailures, errors, latency, unknown } from "./harm.ts";
import { sampleRatio, silence } from "./integrity.ts";
import {
  switchedOff,
  type Guard,
  type GuardAction,
  type GuardInput,
  type GuardLimits,
  type GuardName,
  type GuardVerdict,
} from "./types.ts";

/** What all guards together say. */
export interface GuardReport {
  readonly action: GuardAction;
  /** The guard that decided; absent when all are quiet. */
  readonly cause?: GuardName;
  /** The deciding guard's sentence. */
  readonly reason: string;
  /** Every guard's verdict, also the quiet ones. */
  readonly verdicts: readonly GuardVerdict[];
}

/** Every guard by name, in the order in which a tie is decided. */
export const guards: Readonly<Record<GuardName, Guard>> = {
  critical,
  persistence,
  errors,
  incomplete,
  latency,
  unknown,
  "error-ceiling": errorCeiling,
  "latency-ceiling": latencyCeiling,
  "action-failures": actionFailures,
  cost,
  steps,
  "frozen-baseline": frozenBaseline,
  "sample-ratio": sampleRatio,
  silence,
};

const names = Object.keys(guards) as GuardName[];
const severity: readonly GuardAction[] = ["rollback", "pause", "hold"];

/**
 * Asks every guard. Rollback is looked for before pause, and pause before hold; a sample that is too small for one
 * guard never keeps another from acting.
 */
export function evaluateGuards(input: GuardInput, limits: GuardLimits): GuardReport {
  const verdicts = names.map((name) =>
    limits.disabled.includes(name) ? switchedOff(name, "The plan switches it off.") : guards[name](input, limits),
  );
  for (const action of severity) {
    const found = verdicts.find((one) => one.action === action);
    if (found !== undefined) return { action, cause: found.guard, reason: found.reason, verdicts };
  }
  const blind = verdicts.filter((one) => one.answer === "no-data").map((one) => one.guard);
  const reason =
    blind.length === 0 ? "All guards are quiet." : `All guards are quiet; without data: ${blind.join(", ")}.`;
  return { action: "quiet", reason, verdicts };
}
