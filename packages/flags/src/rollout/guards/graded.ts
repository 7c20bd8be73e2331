import type { ArmCounts } from "../counters.ts";
import { normalBelow, normalQuantile } from "../normal.ts";
import { noEvidence } from "./mixture.ts";

/** By how many standard deviations the new arm's values lie higher, for each alternative. Equal weights. */
const shifts: readonly number[] = [0.2, 0.35, 0.5, 0.75, 1, 1.25, 1.5, 2];
/** The legacy arm's percentiles that separate the grades. */
const cuts: readonly number[] = [0.5, 0.75, 0.9, 0.95];

/** How much likelier each grade is on an arm whose logarithms lie `shift` standard deviations higher. */
const weights: readonly (readonly number[])[] = shifts.map((shift) => {
  const below = [0, ...cuts, 1];
  const shifted = [0, ...cuts.map((cut) => normalBelow(normalQuantile(cut) - shift)), 1];
  return below.slice(1).map((_, at) => (shifted[at + 1]! - shifted[at]!) / (below[at + 1]! - below[at]!));
});

/** Units of one arm by grade: under the median, under the 75th, 90th and 95th percentile, and over it. */
function gradesOf(counts: Partial<ArmCounts>): number[] {
  const { costGraded = 0, costOver50 = 0, costOver75 = 0, costOver90 = 0, costly = 0 } = counts;
  if (costGraded === 0) return [0, 0, 0, 0, 0];
  return [costGraded - costOver50, costOver50 - costOver75, costOver75 - costOver90, costOver90 - costly, costly];
}

/**
 * Log likelihood ratios of a batch of graded values. Given its grade, a value came from the new arm with probability
 * *f* under the null, and with `w f / (1 - f + w f)` when that arm makes the grade `w` times as likely: the test of
 * `addConditional`, with one coin for each grade in place of one for "over the limit". The values themselves do not
 * matter under the null, so heavy tails and a drift of both arms do not either.
 *
 * The weights are those of two log-normal distributions, one of them shifted, as in the normal-scores test (B. L. van
 * der Waerden, "Order tests for the two-sample problem and their power", Indagationes Mathematicae 14, 1952). A doubled
 * cost moves every value; a test of the top 5 % alone needs more than twice as many sessions to see it.
 */
export function gradedEvidence(fresh: Partial<ArmCounts>, legacy: Partial<ArmCounts>): number[] {
  const into = noEvidence();
  const [newUnits, legacyUnits] = [fresh.costGraded ?? 0, legacy.costGraded ?? 0];
  if (newUnits === 0 || legacyUnits === 0) return into;
  const share = newUnits / (newUnits + legacyUnits);
  const [own, others] = [gradesOf(fresh), gradesOf(legacy)];
  for (let at = 0; at < shifts.length; at++)
    weights[at]!.forEach((weight, grade) => {
      const units = own[grade]! + others[grade]!;
      if (units > 0) into[at]! += own[grade]! * Math.log(weight) - units * Math.log1p(share * (weight - 1));
    });
  return into;
}
