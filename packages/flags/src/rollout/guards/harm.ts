import { compareArms, measuredOf, pairRatio, unmeasured, type Measure } from "./relative.ts";
import { noData, quiet, verdict, type Guard, type GuardName } from "./types.ts";

const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function harmGuard(
  guard: GuardName,
  what: string,
  measure: Measure,
  effect: (ratio: number, pair: number) => { ratio: number; name: string },
  least: "ratio" | "latencyRatio",
  caution = 1,
): Guard {
  return (input, limits) => {
    const found = compareArms(input, measure);
    const missing = unmeasured(found);
    if (missing !== undefined) return noData(guard, missing, { ...measuredOf(found) });
    const { ratio, name } = effect(found.ratio, pairRatio(input.p95));
    const e = Math.exp(found.logE);
    const values = {
      logE: found.logE,
      ratio,
      sessions: found.failures,
      pauseAtLogE: Math.log(limits.pauseAt),
      rollbackAtLogE: Math.log(limits.rollbackAt * caution),
      rollbackAtRatio: limits[least],
      ...measuredOf(found),
    };
    if (e < limits.pauseAt) return quiet(guard, `No evidence against the new arm (E = ${shown(e)}).`, values);
    const told = `${what}: E = ${shown(e)}, ${name} × ${shown(ratio)}, ${found.failures} sessions`;
    if (e >= limits.rollbackAt * caution && ratio >= limits[least] && found.failures >= limits.sessions)
      return verdict(guard, "rollback", `${told}.`, values);
    return verdict(guard, "pause", `${told}; not enough for a rollback.`, values);
  };
}

/** Sessions with a failed turn: conditional mixture SPRT against the concurrent legacy arm; see {@link compareArms}. */
export const errors: Guard = harmGuard(
  "errors",
  "More sessions fail on the new engine",
  { failures: "failed", trials: "judged" },
  (ratio) => ({ ratio, name: "failing share" }),
  "ratio",
);

/**
 * One sampled turn a session: how often it exceeds the legacy arm's 95th percentile, frozen when the step started. An
 * exceedance is a coin like a failure
 * is, so the same test serves, and a slowdown common to both arms does not count. Rolls back when the 95th percentile
 * itself grew by `latencyRatio`.
 */
export const latency: Guard = harmGuard(
  "latency",
  "Turns are slower on the new engine",
  { failures: "slow", trials: "timed" },
  (_, ratio) => ({ ratio, name: "p95" }),
  "latencyRatio",
);

/** Sessions with an incident that no rule knows: the same test as {@link errors}. */
export const unknown: Guard = harmGuard(
  "unknown",
  "More sessions meet UNKNOWN incidents on the new engine",
  { failures: "unknown", trials: "judged" },
  (ratio) => ({ ratio, name: "share" }),
  "ratio",
);

/**
 * Units with a failed action call: the same test as {@link errors}, over units whose engine tells of its calls. A
 * failing
 * action is often the outside system's, so a rollback takes ten times the evidence.
 */
export const actionFailures: Guard = harmGuard(
  "action-failures",
  "More sessions have failing action calls on the new engine",
  { failures: "actionFailed", trials: "called" },
  (ratio) => ({ ratio, name: "share" }),
  "ratio",
  10,
);
