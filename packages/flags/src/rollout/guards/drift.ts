import { gradedEvidence } from "./graded.ts";
import {
  compareArms,
  measuredOf,
  pairRatio,
  unmeasured,
  withEvidence,
  type Evidence,
  type Measure,
} from "./relative.ts";
import {
  noData,
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
  more?: Evidence,
): Guard {
  return (input, limits) => {
    const found = compareArms(input, measure);
    const missing = unmeasured(found);
    if (missing !== undefined) return noData(guard, missing, { ...measuredOf(found) });
    const ratio = pair === undefined ? found.ratio : pairRatio(pair(input));
    const logE = more === undefined ? found.logE : withEvidence(input, found.logE, more);
    const values = {
      logE,
      ratio,
      sessions: found.failures,
      pauseAtLogE: Math.log(limits.pauseAt),
      ...measuredOf(found),
    };
    const enough = least === undefined || ratio >= least(limits);
    if (Math.exp(logE) < limits.pauseAt || !enough) return quiet(guard, "No evidence against the new arm.", values);
    return verdict(guard, "pause", `${what} (× ${ratio.toPrecision(3)}).`, values);
  };
}

/**
 * Units with a turn that ended without its answer. How much an answer may cost or take is a choice, so it pauses and
 * leaves the judgement to a person.
 */
export const incomplete: Guard = driftGuard("incomplete", "More sessions get no complete answer from the new engine", {
  failures: "incomplete",
  trials: "judged",
});

/**
 * Units whose turns cost more than the legacy arm's frozen 95th percentile, and the grades below it ({@link
 * gradedEvidence}); pauses when the mean grew too.
 */
export const cost: Guard = driftGuard(
  "cost",
  "Turns cost more on the new engine",
  { failures: "costly", trials: "costed" },
  (input) => input.meanCost,
  (limits) => limits.costRatio,
  gradedEvidence,
);

/** Units whose turns take more steps than the legacy arm's frozen 95th percentile; pauses when the mean grew too. */
export const steps: Guard = driftGuard(
  "steps",
  "Turns take more steps on the new engine",
  { failures: "long", trials: "stepped" },
  (input) => input.meanSteps,
  (limits) => limits.stepsRatio,
);
