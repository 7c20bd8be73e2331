import type { ArmSum, FrozenLimits, Gathered } from "./counter-row.ts";
import type { ArmPair, GuardInput } from "./guards/types.ts";
import { histogramMean, histogramTotal, quantile, type Histogram } from "./histogram.ts";

function pair(gathered: Pick<Gathered, "new" | "legacy">, of: (arm: ArmSum) => number | undefined): ArmPair {
  const fresh = of(gathered.new);
  const legacy = of(gathered.legacy);
  return { ...(fresh === undefined ? {} : { new: fresh }), ...(legacy === undefined ? {} : { legacy }) };
}

/** The part of a {@link GuardInput} that comes from counters. */
export function observedInput(
  gathered: Gathered,
): Pick<GuardInput, "blocks" | "p95" | "meanCost" | "meanSteps" | "persistence"> {
  return {
    blocks: gathered.blocks,
    p95: pair(gathered, (arm) => quantile(arm.durations, 0.95)),
    meanCost: pair(gathered, (arm) => histogramMean(arm.costs)),
    meanSteps: pair(gathered, (arm) => histogramMean(arm.steps)),
    persistence: gathered.persistence,
  };
}

/** Fewest sampled turns from which a 95th percentile is frozen. */
export const LEAST_SAMPLES = 50;

/**
 * What the next step freezes: the legacy arm's 95th percentiles, where enough was sampled; else what was frozen before.
 */
export function freeze(legacy: Pick<ArmSum, "durations" | "costs" | "steps">, before: FrozenLimits): FrozenLimits {
  const of = (histogram: Histogram, old: number | undefined) =>
    histogramTotal(histogram) < LEAST_SAMPLES ? old : quantile(histogram, 0.95);
  const [slowOver, costOver, stepsOver] = [
    of(legacy.durations, before.slowOver),
    of(legacy.costs, before.costOver),
    of(legacy.steps, before.stepsOver),
  ];
  const grades = ([0.5, 0.75, 0.9] as const).map((q) => quantile(legacy.costs, q));
  const [half, upper, most] = histogramTotal(legacy.costs) < LEAST_SAMPLES ? (before.costGrades ?? []) : grades;
  return {
    ...(half === undefined || upper === undefined || most === undefined ? {} : { costGrades: [half, upper, most] }),
    ...(slowOver === undefined ? {} : { slowOver }),
    ...(costOver === undefined ? {} : { costOver }),
    ...(stepsOver === undefined ? {} : { stepsOver }),
  };
}
