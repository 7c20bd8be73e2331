import type { FrozenLimits } from "./counter-row.ts";
import { histogramTotal, mergeHistograms, type Histogram } from "./histogram.ts";
import { freeze, LEAST_SAMPLES } from "./observed.ts";

interface Samples {
  readonly durations: Histogram;
  readonly costs: Histogram;
  readonly steps: Histogram;
}

/** Limits that hold from a block on, by its index. */
export interface LimitSpan {
  readonly from: number;
  readonly limits: FrozenLimits;
}

const kinds = [
  ["durations", "slowOver"],
  ["costs", "costOver"],
  ["steps", "stepsOver"],
] as const;
const noSamples: Samples = { durations: [], costs: [], steps: [] };

/**
 * The limits that hold in each block. Without a step before it, a step's first legacy units set the limits that the
 * later ones are held against.
 *
 * @param legacy - the legacy arm of each block, oldest first.
 */
export function freezeInOrder(legacy: readonly Samples[], frozen: FrozenLimits): readonly LimitSpan[] {
  const changes = new Map<number, FrozenLimits>();
  for (const [kind, limit] of kinds) {
    if (frozen[limit] !== undefined) continue;
    let count = 0;
    const at = legacy.findIndex((arm) => (count += histogramTotal(arm[kind])) >= LEAST_SAMPLES);
    if (at === -1) continue;
    const first = legacy.slice(0, at + 1).map((arm) => arm[kind]);
    // A block is held against what the blocks before it set.
    changes.set(at + 1, {
      ...changes.get(at + 1),
      ...freeze({ ...noSamples, [kind]: first.reduce(mergeHistograms) }, {}),
    });
  }
  const spans: LimitSpan[] = [{ from: 0, limits: frozen }];
  for (const [from, change] of [...changes].sort((a, b) => a[0] - b[0]))
    spans.push({ from, limits: { ...change, ...spans.at(-1)!.limits } });
  return spans;
}

/** Whether both lists of spans say the same. */
export function sameSpans(a: readonly LimitSpan[], b: readonly LimitSpan[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ from, limits }, at) => {
      const other = b[at]!;
      return (
        from === other.from &&
        limits.slowOver === other.limits.slowOver &&
        limits.costOver === other.limits.costOver &&
        limits.stepsOver === other.limits.stepsOver &&
        String(limits.costGrades) === String(other.limits.costGrades)
      );
    })
  );
}
