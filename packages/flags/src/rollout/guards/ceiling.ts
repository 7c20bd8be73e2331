import type { ArmCounts } from "../counters.ts";
import { addBinomial, averagedLogE, noEvidence } from "./mixture.ts";
import {
  noData,
  quiet,
  switchedOff,
  verdict,
  type Guard,
  type GuardInput,
  type GuardLimits,
  type GuardName,
} from "./types.ts";

/** A session's sampled turn may exceed the 95th percentile's ceiling in this share of cases. */
const P95_EXCEEDANCE = 0.05;

function ceilingGuard(
  guard: GuardName,
  what: string,
  failures: keyof ArmCounts,
  trials: keyof ArmCounts,
  limitOf: (limits: GuardLimits) => number,
): Guard {
  return (input, limits) => {
    const limit = limitOf(limits);
    const legacy = legacyShare(input, failures, trials);
    const perStep = [...input.completed.map((step) => [step.new]), input.blocks.map((block) => block.new)].map(
      (arms) => {
        const row = noEvidence();
        for (const arm of arms) addBinomial(row, arm[failures], arm[trials], limit);
        return row;
      },
    );
    const logE = averagedLogE(perStep, input.restarts);
    const count = input.blocks.reduce((sum, block) => sum + block.new[failures], 0);
    const seen = input.blocks.reduce((sum, block) => sum + block.new[trials], 0);
    const values = {
      logE,
      sessions: count,
      share: seen === 0 ? 0 : count / seen,
      limit,
      newUnits: seen,
      pauseAtLogE: Math.log(limits.pauseAt),
      rollbackAtLogE: Math.log(limits.rollbackAt),
    };
    if (legacy !== undefined && legacy > limit) {
      const off = `The legacy arm is itself over the limit (${(legacy * 100).toFixed(2)} % > ${(limit * 100).toFixed(2)} %).`;
      return switchedOff(guard, off, { ...values, legacyShare: legacy });
    }
    if (seen === 0) return noData(guard, "Nothing was measured in the new arm.", { newUnits: 0 });
    const e = Math.exp(logE);
    if (e < limits.pauseAt) return quiet(guard, "No evidence that the limit is exceeded.", values);
    const told = `${what}: ${count} of ${seen} sessions`;
    if (e >= limits.rollbackAt && count >= limits.sessions) return verdict(guard, "rollback", `${told}.`, values);
    return verdict(guard, "pause", `${told}; not enough for a rollback.`, values);
  };
}

/**
 * The legacy arm's share over everything since the rollout was last started, so that a small hold-back does not decide
 * alone.
 */
function legacyShare(input: GuardInput, failures: keyof ArmCounts, trials: keyof ArmCounts): number | undefined {
  let [count, seen] = [0, 0];
  for (const { legacy } of [...input.completed, ...input.blocks]) {
    count += legacy[failures];
    seen += legacy[trials];
  }
  return seen === 0 ? undefined : count / seen;
}

/**
 * The absolute ceiling of the failing share, as a sequential test of the new arm against the fixed limit ({@link
 * addBinomial}). A plain comparison of an
 * observed share with a ceiling rolls back most harmless rollouts. Off, and saying so, while the legacy arm is itself
 * over: going back would not help.
 */
export const errorCeiling: Guard = ceilingGuard(
  "error-ceiling",
  "The new engine's failing share is over its absolute ceiling",
  "failed",
  "judged",
  (limits) => limits.errorCeiling,
);

/** The absolute ceiling of the 95th percentile: more than 5 % of sampled turns, one a session, exceed it. */
export const latencyCeiling: Guard = ceilingGuard(
  "latency-ceiling",
  "The new engine's 95th percentile is over its absolute ceiling",
  "overLimit",
  "sampled",
  () => P95_EXCEEDANCE,
);
