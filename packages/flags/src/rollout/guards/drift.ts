import { compareArms, pairRatio, type Measure } from "./relative.ts";
import {
  quiet,
  verdict,
  type ArmPair,
  type Guard,
  type GuardInput,
  type GuardLimits,
  type GuardName,
} from "./types.ts";

function driftGuard(
  guard: GuardName,
  what: string,
  measure: Measure,
  pair?: (input: GuardInput) => ArmPair | undefined,
  least?: (limits: GuardLimits) => number,
): Guard {
  return (input, limits) => {
    const found = compareArms(input, measure);
    const ratio = pair === undefined ? found.ratio : pairRatio(pair(input));
    const values = { logE: found.logE, ratio, sessions: found.failures, pauseAtLogE: Math.log(limits.pauseAt) };
    const enough = least === undefined || ratio >= least(limits);
    if (Math.exp(found.logE) < limits.pauseAt || !enough)
      return quiet(guard, "No evidence against the new arm.", values);
    return verdict(guard, "pause", `${what} (× ${ratio.toPrecision(3)}).`, values);
  };
}

/**
 * Sessions with a failed action call. A failing action is often the outside system's, so it pauses and leaves the
 * judgement to a person.
 */
export const actionFailures: Guard = driftGuard(
  "action-failures",
  "More sessions have failing action calls on the new engine",
  { failures: "actionFailed", trials: "assigned" },
);

/** Sampled turns dearer than the legacy arm's frozen 95th percentile; pauses when the mean grew too. */
export const cost: Guard = driftGuard(
  "cost",
  "Turns cost more on the new engine",
  { failures: "costly", trials: "sampled" },
  (input) => input.meanCost,
  (limits) => limits.costRatio,
);

/** Sampled turns with more steps than the legacy arm's frozen 95th percentile; pauses when the mean grew too. */
export const steps: Guard = driftGuard(
  "steps",
  "Turns take more steps on the new engine",
  { failures: "long", trials: "sampled" },
  (input) => input.meanSteps,
  (limits) => limits.stepsRatio,
);
