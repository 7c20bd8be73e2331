import type { BreakdownRow } from "./breakdown.ts";
import type { ArmCounts, CounterBlock, OperationCounts } from "./counters.ts";
import { countOver, histogramTotal, mergeHistograms, type Histogram } from "./histogram.ts";
import { costBucket, histogramOf, stepsBucket, unitFlags, type UnitRow } from "./unit-row.ts";

/** Units by a 32-bit hash of their id. */
export type SessionMarks = readonly number[];

/**
 * What one arm did in one block, as a process reports it. A unit's turns may run in several processes and in many
 * blocks: each reports its part of the unit, and the parts become one when they are gathered. The other members are
 * sums over units that are not listed.
 */
export interface ArmRow {
  /** @defaultValue none */
  readonly units?: readonly UnitRow[];
  readonly assigned: number;
  readonly exposed: number;
  /** @defaultValue all that are assigned */
  readonly judged?: number;
  readonly failed: SessionMarks;
  /** @defaultValue none */
  readonly incomplete?: SessionMarks;
  readonly unknown: SessionMarks;
  /** @defaultValue all that are assigned */
  readonly called?: number;
  readonly actionFailed: SessionMarks;
  /** One sampled turn a unit, ms. */
  readonly durations: Histogram;
  readonly costs: Histogram;
  readonly steps: Histogram;
}

/** Comparisons of the shadow runner. */
export interface ShadowCounts {
  readonly compared: number;
  readonly equal: number;
  /** Differences beyond what two runs of the old engine differ by. */
  readonly mismatched: number;
  readonly onlyNewFailed: number;
  readonly onlyLegacyFailed: number;
  readonly bothFailed: number;
  readonly timedOut: number;
  readonly dropped: number;
}

/** No comparison yet. */
export const noShadow: ShadowCounts = {
  compared: 0,
  equal: 0,
  mismatched: 0,
  onlyNewFailed: 0,
  onlyLegacyFailed: 0,
  bothFailed: 0,
  timedOut: 0,
  dropped: 0,
};

/**
 * Everything one process counted for one flag in one block. A report *replaces* the row of the same source and block
 * when its `sequence` is larger, so a
 * report that is sent twice, late or out of order counts once.
 */
export interface CounterRow {
  readonly flag: string;
  /** The reporting process; unique to its life. */
  readonly source: string;
  /** Grows with each report of the row. */
  readonly sequence: number;
  /** Milliseconds since the epoch; sessions are booked where they *started*. */
  readonly start: number;
  readonly end: number;
  readonly new: ArmRow;
  readonly legacy: ArmRow;
  readonly operations?: Readonly<Record<string, OperationCounts>>;
  readonly errorClasses?: Readonly<Record<string, number>>;
  readonly persistence?: { readonly checked: number; readonly missing: number };
  readonly shadow?: ShadowCounts;
  readonly breakdown?: BreakdownRow;
}

/** Limits that were frozen when the step began. */
export interface FrozenLimits {
  readonly slowOver?: number;
  readonly costOver?: number;
  /** The legacy arm's median, 75th and 90th percentile. */
  readonly costGrades?: readonly [number, number, number];
  readonly stepsOver?: number;
}

/** One arm over all processes since a point in time. */
export interface ArmSum {
  readonly assigned: number;
  readonly exposed: number;
  readonly judged: number;
  readonly failed: number;
  readonly incomplete: number;
  readonly unknown: number;
  readonly actionFailed: number;
  readonly durations: Histogram;
  /** Mean of each unit; of units reported one by one in millionths of the host's unit. */
  readonly costs: Histogram;
  readonly steps: Histogram;
}

/** All rows since a point in time, added up. */
export interface Gathered {
  readonly blocks: readonly CounterBlock[];
  readonly new: ArmSum;
  readonly legacy: ArmSum;
  readonly persistence: { readonly checked: number; readonly missing: number };
  readonly shadow: ShadowCounts;
  /** Milliseconds of blocks in which a session started. */
  readonly observedMs: number;
}

/** An arm in which nothing happened. */
export const noArm: ArmRow = {
  assigned: 0,
  exposed: 0,
  failed: [],
  unknown: [],
  actionFailed: [],
  durations: [],
  costs: [],
  steps: [],
};

const union = (a: SessionMarks, b: SessionMarks): SessionMarks =>
  a.length === 0 ? b : b.length === 0 ? a : [...new Set([...a, ...b])];

/** One arm of one block: sums over what is listed nowhere, and the units that started there. */
export interface ArmBlock {
  readonly rest: ArmRow;
  readonly units: readonly UnitRow[];
}

/** Two processes' sums of one arm and block as one. */
export function addArms(a: ArmRow, b: ArmRow): ArmRow {
  return {
    assigned: a.assigned + b.assigned,
    exposed: a.exposed + b.exposed,
    judged: (a.judged ?? a.assigned) + (b.judged ?? b.assigned),
    failed: union(a.failed, b.failed),
    incomplete: union(a.incomplete ?? [], b.incomplete ?? []),
    unknown: union(a.unknown, b.unknown),
    called: (a.called ?? a.assigned) + (b.called ?? b.assigned),
    actionFailed: union(a.actionFailed, b.actionFailed),
    durations: mergeHistograms(a.durations, b.durations),
    costs: mergeHistograms(a.costs, b.costs),
    steps: mergeHistograms(a.steps, b.steps),
  };
}

/** One arm of one block, whole. */
export interface FoldedArm extends ArmRow {
  readonly calls: number;
  readonly callFailures: number;
}

/** Units that are listed, added to the sums of the others. */
export function foldArm({ rest, units }: ArmBlock): FoldedArm {
  if (units.length === 0) return { ...rest, calls: 0, callFailures: 0 };
  const marked = (bit: number): number[] => units.filter((unit) => (unit[1] & bit) !== 0).map((unit) => unit[0]);
  const sum = addArms(rest, {
    assigned: units.length,
    exposed: marked(unitFlags.exposed).length,
    judged: marked(unitFlags.judged).length,
    failed: marked(unitFlags.failed),
    incomplete: marked(unitFlags.incomplete),
    unknown: marked(unitFlags.unknown),
    called: marked(unitFlags.called).length,
    actionFailed: marked(unitFlags.actionFailed),
    durations: histogramOf(units.map((unit) => (unit[3] === -1 ? undefined : unit[3]))),
    costs: histogramOf(units.map(costBucket)),
    steps: histogramOf(units.map(stepsBucket)),
  });
  const total = (at: 8 | 9) => units.reduce((whole, unit) => whole + unit[at], 0);
  return { ...sum, calls: total(8), callFailures: total(9) };
}

/** What the guards count of an arm, against the frozen limits. */
export function countsOf(arm: FoldedArm, frozen: FrozenLimits, latencyCeilingMs: number): ArmCounts {
  const { assigned, exposed, judged = assigned, called = assigned, calls, callFailures } = arm;
  // What is counted against no limit is no data.
  const against = (histogram: Histogram, limit: number | undefined) =>
    limit === undefined ? ([0, 0] as const) : ([histogramTotal(histogram), countOver(histogram, limit)] as const);
  const [timed, slow] = against(arm.durations, frozen.slowOver);
  const [costed, costly] = against(arm.costs, frozen.costOver);
  const [over50, over75, over90] = (frozen.costGrades ?? []).map((limit) => countOver(arm.costs, limit));
  const [stepped, long] = against(arm.steps, frozen.stepsOver);
  return {
    assigned,
    exposed,
    judged,
    // A process may have told of a failure before another told of its unit.
    failed: Math.min(arm.failed.length, judged),
    incomplete: Math.min(arm.incomplete?.length ?? 0, judged),
    unknown: Math.min(arm.unknown.length, assigned),
    called,
    actionFailed: Math.min(arm.actionFailed.length, called),
    calls,
    callFailures,
    sampled: histogramTotal(arm.durations),
    timed,
    slow,
    overLimit: countOver(arm.durations, latencyCeilingMs),
    costed,
    costly,
    costGraded: frozen.costGrades === undefined ? 0 : costed,
    costOver50: over50 ?? 0,
    costOver75: over75 ?? 0,
    costOver90: over90 ?? 0,
    stepped,
    long,
  };
}

/** Whether a unit started in an arm. */
export const hasTraffic = (arm: ArmRow): boolean => arm.assigned > 0 || (arm.units?.length ?? 0) > 0;

/** A block with what one row knows besides its arms. */
export function addExtras(block: CounterBlock, row: CounterRow): CounterBlock {
  const operations: Record<string, OperationCounts> = { ...block.operations };
  for (const [name, { attempts, successes }] of Object.entries(row.operations ?? {})) {
    const before = operations[name] ?? { attempts: 0, successes: 0 };
    operations[name] = { attempts: before.attempts + attempts, successes: before.successes + successes };
  }
  const errorClasses: Record<string, number> = { ...block.errorClasses };
  for (const [name, count] of Object.entries(row.errorClasses ?? {}))
    errorClasses[name] = (errorClasses[name] ?? 0) + count;
  return {
    ...block,
    end: Math.max(block.end, row.end),
    ...(Object.keys(operations).length > 0 ? { operations } : {}),
    ...(Object.keys(errorClasses).length > 0 ? { errorClasses } : {}),
  };
}
