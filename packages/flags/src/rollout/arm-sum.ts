import type { ArmRow, ArmSum } from "./counter-row.ts";
import { BUCKETS, type Histogram } from "./histogram.ts";

const kinds = ["durations", "costs", "steps"] as const;

/** Sums arms without merging their histograms over and over; what was added can be taken out again. */
export interface ArmTotal {
  /** @param times - 1 adds, -1 takes out */
  add(arm: ArmRow, times: 1 | -1): void;
  sum(): ArmSum;
}

/** One histogram with an array behind it. The pairs that did not change are the same objects at every look. */
function createDense() {
  const counts = new Float64Array(BUCKETS);
  const pairs: (readonly [number, number] | undefined)[] = new Array(BUCKETS);
  let [low, high] = [BUCKETS, -1];
  let last: Histogram | undefined;
  return {
    add(histogram: Histogram, times: 1 | -1): void {
      if (histogram.length === 0) return;
      last = undefined;
      low = Math.min(low, histogram[0]![0]);
      high = Math.max(high, histogram.at(-1)![0]);
      for (let at = 0; at < histogram.length; at++) {
        const pair = histogram[at]!;
        counts[pair[0]]! += times * pair[1];
        pairs[pair[0]] = undefined;
      }
    },
    read(): Histogram {
      if (last !== undefined) return last;
      const made: (readonly [number, number])[] = [];
      for (let bucket = low; bucket <= high; bucket++)
        if (counts[bucket]! > 0) made.push((pairs[bucket] ??= [bucket, counts[bucket]!]));
      return (last = made);
    },
  };
}

/** Nothing yet. */
export function createArmTotal(): ArmTotal {
  const total = { assigned: 0, exposed: 0, judged: 0, failed: 0, incomplete: 0, unknown: 0, actionFailed: 0 };
  const dense = { durations: createDense(), costs: createDense(), steps: createDense() };
  return {
    add(arm, times) {
      total.assigned += times * arm.assigned;
      total.exposed += times * arm.exposed;
      total.judged += times * (arm.judged ?? arm.assigned);
      total.failed += times * arm.failed.length;
      total.incomplete += times * (arm.incomplete?.length ?? 0);
      total.unknown += times * arm.unknown.length;
      total.actionFailed += times * arm.actionFailed.length;
      for (const kind of kinds) dense[kind].add(arm[kind], times);
    },
    sum: () => ({
      ...total,
      durations: dense.durations.read(),
      costs: dense.costs.read(),
      steps: dense.steps.read(),
    }),
  };
}
