/**
 * Sequential evidence that may be looked at as often as one likes.
 *
 * A likelihood ratio of a fixed alternative against the null is a non-negative martingale that starts at 1, so by
 * Ville's inequality (J. Ville, *Étude
 * critique de la notion de collectif*, 1939) it reaches 100 with a probability of at most 1 % under the null, whenever
 * one looks. Mixing alternatives
 * (H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat. 41, 1970) and
 * averaging tests that began at
 * different times keep that property: an average of e-processes is an e-process (A. Ramdas, P. Grünwald, V. Vovk, G.
 * Shafer, "Game-theoretic statistics
 * and safe anytime-valid inference", Statistical Science 38, 2023).
 */

/** The alternatives of every mixture: by how much the new arm is worse. Equal weights. */
export const ratios: readonly number[] = [1.5, 2, 3, 5, 8, 12, 20, 30];
const logRatios = ratios.map(Math.log);

/**
 * Adds a batch's log likelihood ratios to `into`, conditionally on the failures: given that a session failed, it came
 * from the new arm with probability
 * *f* under the null, and with `R f / (1 - f + R f)` when the new arm fails *R* times as often. The unknown and
 * drifting base rate drops out. *f* is the
 * new arm's share of the batch's trials; drawing the failures without replacement only narrows their distribution (W.
 * Hoeffding, JASA 58, 1963, theorem
 * 4), so batches of any size are conservative. The idea of asking which arm the next event comes from: M. Lindon and A.
 * Malek, "Anytime-valid inference
 * for multinomial count data", NeurIPS 2022; M. Kulldorff et al., "A maximized sequential probability ratio test",
 * Sequential Analysis 30, 2011.
 */
export function addConditional(
  into: number[],
  newFailures: number,
  newTrials: number,
  legacyFailures: number,
  legacyTrials: number,
): void {
  const failures = newFailures + legacyFailures;
  if (failures === 0 || newTrials === 0 || legacyTrials === 0) return;
  const share = newTrials / (newTrials + legacyTrials);
  for (let at = 0; at < ratios.length; at++) {
    into[at]! += newFailures * logRatios[at]! - failures * Math.log1p(share * (ratios[at]! - 1));
  }
}

/**
 * Adds the log likelihood ratios of `failures` out of `trials` against a fixed limit: A. Wald's binomial SPRT
 * (*Sequential Analysis*, 1947) for each
 * alternative `min(0.9, R · limit)`. Under any true rate up to the limit the mixture is a supermartingale.
 */
export function addBinomial(into: number[], failures: number, trials: number, limit: number): void {
  if (trials === 0) return;
  const { gain, loss } = binomialWeights(limit);
  for (let at = 0; at < ratios.length; at++) into[at]! += failures * gain[at]! + (trials - failures) * loss[at]!;
}

/**
 * Limits are few and fixed, so their logarithms are kept: what a failure adds and what a success takes, by alternative.
 */
const weights = new Map<number, { readonly gain: readonly number[]; readonly loss: readonly number[] }>();

function binomialWeights(limit: number): { readonly gain: readonly number[]; readonly loss: readonly number[] } {
  const known = weights.get(limit);
  if (known !== undefined) return known;
  const rates = ratios.map((ratio) => Math.max(limit, Math.min(0.9, ratio * limit)));
  const made = {
    gain: rates.map((rate) => Math.log(rate / limit)),
    loss: rates.map((rate) => Math.log((1 - rate) / (1 - limit))),
  };
  if (weights.size > 1_000) weights.clear();
  weights.set(limit, made);
  return made;
}

/** A row of zeros, one for each alternative. */
export function noEvidence(): number[] {
  return new Array<number>(ratios.length).fill(0);
}

/**
 * The logarithm of the e-value of a test that restarts at every step and is averaged: test *k* counts everything from
 * step *k* on, each of the `restarts`
 * tests weighs the same, and one that has not begun stands at 1. A harm that begins late is thereby found by the test
 * that began late, and the whole
 * rollout pays for one error probability only.
 *
 * @param perStep - log likelihood ratios of each step, oldest first, the running one last.
 */
export function averagedLogE(perStep: readonly (readonly number[])[], restarts: number): number {
  const planned = Math.max(restarts, perStep.length);
  const suffix = noEvidence();
  const terms: number[] = [];
  for (let step = perStep.length - 1; step >= 0; step--) {
    const row = perStep[step]!;
    for (let at = 0; at < suffix.length; at++) {
      suffix[at]! += row[at]!;
      terms.push(suffix[at]!);
    }
  }
  const unstarted = planned - perStep.length;
  if (unstarted > 0) terms.push(Math.log(unstarted * ratios.length));
  return logSumExp(terms) - Math.log(planned * ratios.length);
}

/** `log(Σ exp(x))` without overflow. */
export function logSumExp(values: readonly number[]): number {
  let top = -Infinity;
  for (const value of values) if (value > top) top = value;
  if (top === -Infinity) return -Infinity;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}
