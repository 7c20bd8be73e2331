import { totals, type CounterBlock } from "../counters.ts";
import { logSumExp } from "./mixture.ts";
import { noData, quiet, switchedOff, verdict, type Guard } from "./types.ts";

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
 * Whether an arm that should be heard of is silent. Two signs, both of the running step:
 *
 * - *No unit is drawn into it any more.* Under the null each unit falls to the arm with its planned share, so a run
 * of n
 *   units that all miss it has the likelihood ratio (1 - share)^-n against an arm that went silent when the run began.
 * When that was is not known: each possible start at the j-th unit has the weight 1 / (j (j + 1)), which sum to
 * one, so
 *   the mixture is a martingale and `silenceAt` bounds the false pauses of a whole step, however long it takes and
 *   however often one looks. Over both arms and all steps the evidence is averaged.
 * - *Units are drawn, and their engine never ends a turn*, over the latest blocks and from `silenceExpected` units on.
 *
 * No traffic at all only holds, and so do counters that cannot be read: absence of data never moves a rollout.
 */
export const silence: Guard = (input, limits) => {
  if (input.unreadable !== undefined)
    return verdict("silence", "hold", `The counters cannot be read: ${input.unreadable}`);
  const latest = totals(input.blocks.slice(-limits.silenceBlocks));
  if (latest.new.assigned + latest.legacy.assigned === 0)
    return verdict("silence", "hold", "No session started lately.", { new: 0, legacy: 0 });
  const tests = 2 * Math.max(1, input.restarts);
  const logE = {
    new: logSilent(input.blocks, "new", input.share) - Math.log(tests),
    legacy: logSilent(input.blocks, "legacy", 1 - input.share) - Math.log(tests),
  };
  const values = {
    new: latest.new.exposed,
    legacy: latest.legacy.exposed,
    logENew: Math.max(0, logE.new),
    logELegacy: Math.max(0, logE.legacy),
    pauseAtLogE: Math.log(limits.silenceAt),
  };
  for (const arm of ["new", "legacy"] as const) {
    if (logE[arm] >= values.pauseAtLogE)
      return verdict("silence", "pause", `The ${arm} arm is silent although sessions are expected there.`, values);
    const { assigned, exposed } = latest[arm];
    if (input.blocks.length > limits.silenceBlocks && exposed === 0 && assigned >= limits.silenceExpected)
      return verdict("silence", "pause", `${assigned} sessions of the ${arm} arm started, and no turn ended.`, values);
  }
  return quiet("silence", "Both arms are heard of.", values);
};

/** Log evidence that no unit falls to an arm any more, with the start of the silence mixed over the step's units. */
function logSilent(blocks: readonly CounterBlock[], arm: "new" | "legacy", share: number): number {
  if (share <= 0 || share >= 1) return -Infinity;
  const other = arm === "new" ? "legacy" : "new";
  const before = blocks.map(() => 0);
  let units = 0;
  blocks.forEach((block, at) => {
    before[at] = units;
    units += block.new.assigned + block.legacy.assigned;
  });
  const terms: number[] = [];
  let run = 0;
  for (let at = blocks.length - 1; at >= 0 && blocks[at]![arm].assigned === 0; at--) {
    run += blocks[at]![other].assigned;
    const j = before[at]! + 1;
    // Empty blocks start at the same unit as the block after them.
    if (blocks[at]![other].assigned > 0) terms.push(-run * Math.log1p(-share) - Math.log(j) - Math.log(j + 1));
  }
  return logSumExp(terms);
}
