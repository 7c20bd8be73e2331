import { totals } from "../counters.ts";
import { noData, quiet, switchedOff, verdict, type Guard, type GuardLimits } from "./types.ts";

/** How strongly the alternative of the sample-ratio test is drawn to the planned share. */
const CONCENTRATION = 100;

/** Lanczos' approximation of log Γ (C. Lanczos, SIAM J. Numer. Anal. 1, 1964), g = 7, nine terms. */
export function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const shifted = x - 1;
  let sum = 0.9999999999998099;
  for (let at = 0; at < terms.length; at++) sum += terms[at]! / (shifted + at + 1);
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The log Bayes factor of a beta alternative centred on the planned share, against that share. */
function logMismatch(fresh: number, legacy: number, share: number): number {
  const a = CONCENTRATION * share;
  const b = CONCENTRATION * (1 - share);
  const logBeta = (x: number, y: number) => logGamma(x) + logGamma(y) - logGamma(x + y);
  return logBeta(a + fresh, b + legacy) - logBeta(a, b) - fresh * Math.log(share) - legacy * Math.log(1 - share);
}

/**
 * Whether sessions fall to the arms, and reach their engines, in the shares that the plan gave: the sequential
 * multinomial test of M. Lindon and A. Malek
 * ("Anytime-valid inference for multinomial count data", NeurIPS 2022), for two arms. A mismatch says that the counters
 * cannot be trusted, so it pauses.
 */
export const sampleRatio: Guard = (input, limits) => {
  if (input.share <= 0 || input.share >= 1) return switchedOff("sample-ratio", "Only one arm has traffic.");
  const sum = totals(input.blocks);
  if (sum.new.assigned + sum.legacy.assigned === 0) return noData("sample-ratio", "No session was drawn yet.");
  const assigned = logMismatch(sum.new.assigned, sum.legacy.assigned, input.share);
  const exposed = logMismatch(sum.new.exposed, sum.legacy.exposed, input.share);
  const values = {
    logEAssigned: assigned,
    logEExposed: exposed,
    planned: input.share,
    observed: sum.new.assigned / Math.max(1, sum.new.assigned + sum.legacy.assigned),
    observedExposed: sum.new.exposed / Math.max(1, sum.new.exposed + sum.legacy.exposed),
    pauseAtLogE: Math.log(limits.sampleRatioAt),
  };
  const worst = Math.max(assigned, exposed);
  if (worst < Math.log(limits.sampleRatioAt))
    return quiet("sample-ratio", "Both arms get their planned share.", values);
  return verdict(
    "sample-ratio",
    "pause",
    `The ${assigned >= exposed ? "assigned" : "exposed"} sessions do not have the planned share.`,
    values,
  );
};

/**
 * Whether an arm that should be heard of is silent: no session, or sessions whose engine is never called, in the latest
 * blocks, although the other arm's
 * traffic lets some be expected. No traffic at all only holds, and so do counters that cannot be read: absence of data
 * never moves a rollout.
 */
export const silence: Guard = (input, limits) => {
  if (input.unreadable !== undefined)
    return verdict("silence", "hold", `The counters cannot be read: ${input.unreadable}`);
  const latest = totals(input.blocks.slice(-limits.silenceBlocks));
  const values = {
    new: latest.new.exposed,
    legacy: latest.legacy.exposed,
    blocks: Math.min(input.blocks.length, limits.silenceBlocks),
  };
  if (latest.new.assigned + latest.legacy.assigned === 0)
    return verdict("silence", "hold", "No session started lately.", values);
  if (input.blocks.length < limits.silenceBlocks) return quiet("silence", "Too early to expect anything.", values);
  const silent = silentArm(input.share, latest.new, latest.legacy, limits);
  if (silent === undefined) return quiet("silence", "Both arms are heard of.", values);
  return verdict("silence", "pause", `The ${silent} arm is silent although sessions are expected there.`, values);
};

type Heard = { readonly assigned: number; readonly exposed: number };

function silentArm(share: number, fresh: Heard, legacy: Heard, limits: GuardLimits): "new" | "legacy" | undefined {
  const expectedNew = share >= 1 ? fresh.assigned : (legacy.assigned * share) / (1 - share);
  const expectedLegacy = share <= 0 ? legacy.assigned : (fresh.assigned * (1 - share)) / share;
  if (fresh.exposed === 0 && Math.max(expectedNew, fresh.assigned) >= limits.silenceExpected) return "new";
  if (share < 1 && legacy.exposed === 0 && Math.max(expectedLegacy, legacy.assigned) >= limits.silenceExpected)
    return "legacy";
  return undefined;
}
