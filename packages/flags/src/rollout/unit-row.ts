import { bucketOf, type Histogram } from "./histogram.ts";

/**
 * What one process saw of one bucketing unit (a session, an organisation …) in one block, over all of its turns. A
 * tuple of numbers: there is one for each unit, and no id leaves the process.
 */
export type UnitRow = readonly [
  /** 32-bit hash of the unit's id. */
  mark: number,
  /** See {@link unitFlags}. */
  flags: number,
  /** Of the sampled turn: the turn with the smallest priority, so that every turn is equally likely. */
  priority: number,
  /** Duration bucket of the sampled turn; -1 without one. */
  duration: number,
  costTurns: number,
  cost: number,
  stepTurns: number,
  steps: number,
  calls: number,
  callFailures: number,
];

/** Bits of a unit's `flags`. */
export const unitFlags = {
  /** An engine served at least one turn of it to its end. */
  exposed: 1,
  /** At least one turn was ok, failed or incomplete. */
  judged: 2,
  failed: 4,
  incomplete: 8,
  unknown: 16,
  /** The engine tells of action calls. */
  called: 32,
  actionFailed: 64,
} as const;

/** Costs are counted in millionths, so that fractions of a cent fall into buckets of their own. */
const COST_SCALE = 1e6;

/** A unit that nothing is known of. */
export const newUnit = (mark: number): UnitRow => [mark, 0, 0, -1, 0, 0, 0, 0, 0, 0];

/** Both halves of one unit. */
export function mergeUnits(a: UnitRow, b: UnitRow): UnitRow {
  const sampled = a[3] === -1 || (b[3] !== -1 && b[2] < a[2]) ? b : a;
  return [
    a[0],
    a[1] | b[1],
    sampled[2],
    sampled[3],
    a[4] + b[4],
    a[5] + b[5],
    a[6] + b[6],
    a[7] + b[7],
    a[8] + b[8],
    a[9] + b[9],
  ];
}

/** The bucket of a unit's mean cost; `undefined` without one. */
export const costBucket = (unit: UnitRow): number | undefined =>
  unit[4] === 0 ? undefined : bucketOf((unit[5] / unit[4]) * COST_SCALE);

/** The bucket of a unit's mean steps; `undefined` without them. */
export const stepsBucket = (unit: UnitRow): number | undefined =>
  unit[6] === 0 ? undefined : bucketOf(unit[7] / unit[6]);

/** A histogram of single buckets. */
export function histogramOf(buckets: readonly (number | undefined)[]): Histogram {
  const counts = new Map<number, number>();
  for (const bucket of buckets) if (bucket !== undefined) counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  return [...counts].sort((a, b) => a[0] - b[0]);
}
