import type { ArmCounts, CounterBlock, StepTotals } from "../counters.ts";
import { addConditional, averagedLogE, logSumExp, noEvidence } from "./mixture.ts";
import type { GuardInput } from "./types.ts";

/** Which count is the failure, and out of which it is counted. */
export interface Measure {
  readonly failures: keyof ArmCounts;
  readonly trials: keyof ArmCounts;
}

/** A further test of the same null: log likelihood ratios of a batch, by alternative. */
export type Evidence = (fresh: ArmCounts, legacy: ArmCounts) => readonly number[];

/** What the comparison of both arms found. */
export interface Comparison {
  /** Natural logarithm of the averaged e-value. */
  readonly logE: number;
  /** The new arm's failing share over the legacy arm's in the running step, each with half a failure added. */
  readonly ratio: number;
  /** Failing units of the new arm in the running step. */
  readonly failures: number;
  /** Units of each arm that were measured in the running step. */
  readonly measured: { readonly new: number; readonly legacy: number };
}

/** Blocks do not change, and a look finds the same ones as the look before it: their logarithms are kept. */
const known = new WeakMap<CounterBlock | StepTotals, Map<Measure | Evidence, readonly number[]>>();

function evidenceOf(counts: CounterBlock | StepTotals, measure: Measure | Evidence): readonly number[] {
  let own = known.get(counts);
  if (own === undefined) known.set(counts, (own = new Map()));
  let row = own.get(measure);
  if (row === undefined) {
    row = typeof measure === "function" ? measure(counts.new, counts.legacy) : conditional(counts, measure);
    own.set(measure, row);
  }
  return row;
}

function conditional({ new: fresh, legacy }: CounterBlock | StepTotals, { failures, trials }: Measure): number[] {
  const made = noEvidence();
  addConditional(made, fresh[failures], fresh[trials], legacy[failures], legacy[trials]);
  return made;
}

/** The average of two e-values is one: what either test sees is found, for at most twice the evidence. */
export function withEvidence(input: GuardInput, logE: number, more: Evidence): number {
  const running = noEvidence();
  for (const block of input.blocks) {
    const own = evidenceOf(block, more);
    for (let at = 0; at < own.length; at++) running[at]! += own[at]!;
  }
  const perStep = [...input.completed.map((step) => evidenceOf(step, more)), running];
  return logSumExp([logE, averagedLogE(perStep, input.restarts)]) - Math.LN2;
}

/** Compares the new arm with the legacy traffic of the same population and the same time. */
export function compareArms(input: GuardInput, measure: Measure): Comparison {
  const { failures, trials } = measure;
  const perStep: number[][] = [];
  for (const step of input.completed) perStep.push([...evidenceOf(step, measure)]);
  const running = noEvidence();
  let newFailures = 0;
  let newTrials = 0;
  let legacyFailures = 0;
  let legacyTrials = 0;
  for (const block of input.blocks) {
    const { new: fresh, legacy } = block;
    const own = evidenceOf(block, measure);
    for (let at = 0; at < own.length; at++) running[at]! += own[at]!;
    newFailures += fresh[failures];
    newTrials += fresh[trials];
    legacyFailures += legacy[failures];
    legacyTrials += legacy[trials];
  }
  perStep.push(running);
  const smooth = (count: number, of: number) => (count + 0.5) / (of + 1);
  return {
    logE: averagedLogE(perStep, input.restarts),
    ratio: smooth(newFailures, newTrials) / smooth(legacyFailures, legacyTrials),
    failures: newFailures,
    measured: { new: newTrials, legacy: legacyTrials },
  };
}

/** The measured units as figures of a verdict. */
export const measuredOf = ({ measured }: Comparison): { readonly newUnits: number; readonly legacyUnits: number } => ({
  newUnits: measured.new,
  legacyUnits: measured.legacy,
});

/** Why a comparison has no data; `undefined` when it has some. */
export function unmeasured({ measured }: Comparison): string | undefined {
  const arms = (["new", "legacy"] as const).filter((arm) => measured[arm] === 0);
  return arms.length === 0 ? undefined : `Nothing was measured in the ${arms.join(" and the ")} arm.`;
}

/** How much is left of an arm's ratio: new over legacy, 1 when either is unknown. */
export function pairRatio(pair: { readonly new?: number; readonly legacy?: number } | undefined): number {
  return pair?.new === undefined || pair.legacy === undefined || pair.legacy === 0 ? 1 : pair.new / pair.legacy;
}
