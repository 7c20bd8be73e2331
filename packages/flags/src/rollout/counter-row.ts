import { compactBlocks, noCounts, type ArmCounts, type CounterBlock, type OperationCounts } from "./counters.ts";
import type { ArmPair, GuardInput } from "./guards/types.ts";
import {
  BUCKETS,
  countOver,
  histogramMean,
  histogramTotal,
  mergeHistograms,
  quantile,
  type Histogram,
} from "./histogram.ts";
import { costBucket, histogramOf, mergeUnits, stepsBucket, unitFlags, type UnitRow } from "./unit-row.ts";

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
}

/** Limits that were frozen when the step began. */
export interface FrozenLimits {
  readonly slowOver?: number;
  readonly costOver?: number;
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

/** Units that are listed, added to the sums of the others. */
function fold({ rest, units }: ArmBlock): ArmRow & { readonly calls: number; readonly callFailures: number } {
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

/** Sums many rows without merging the histograms over and over. */
function createSum(): { readonly add: (row: ArmRow) => void; readonly sum: () => ArmSum } {
  const total = { assigned: 0, exposed: 0, judged: 0, failed: 0, incomplete: 0, unknown: 0, actionFailed: 0 };
  const histograms = {
    durations: new Float64Array(BUCKETS),
    costs: new Float64Array(BUCKETS),
    steps: new Float64Array(BUCKETS),
  };
  const kinds = ["durations", "costs", "steps"] as const;
  const sorted = (counts: Float64Array): Histogram => {
    const pairs: [number, number][] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) if (counts[bucket]! > 0) pairs.push([bucket, counts[bucket]!]);
    return pairs;
  };
  return {
    add(row) {
      total.assigned += row.assigned;
      total.exposed += row.exposed;
      total.judged += row.judged ?? row.assigned;
      total.failed += row.failed.length;
      total.incomplete += row.incomplete?.length ?? 0;
      total.unknown += row.unknown.length;
      total.actionFailed += row.actionFailed.length;
      for (const kind of kinds) {
        const into = histograms[kind];
        for (const pair of row[kind]) into[pair[0]]! += pair[1];
      }
    },
    sum: () => ({
      ...total,
      durations: sorted(histograms.durations),
      costs: sorted(histograms.costs),
      steps: sorted(histograms.steps),
    }),
  };
}

function counts(arm: ReturnType<typeof fold>, frozen: FrozenLimits, latencyCeilingMs: number): ArmCounts {
  const { assigned, exposed, judged = assigned, called = assigned, calls, callFailures } = arm;
  // What is counted against no limit is no data.
  const against = (histogram: Histogram, limit: number | undefined) =>
    limit === undefined ? ([0, 0] as const) : ([histogramTotal(histogram), countOver(histogram, limit)] as const);
  const [timed, slow] = against(arm.durations, frozen.slowOver);
  const [costed, costly] = against(arm.costs, frozen.costOver);
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
    stepped,
    long,
  };
}

const merge = (a: Record<string, number>, b: Readonly<Record<string, number>> = {}): Record<string, number> => {
  const sum = { ...a };
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
};

/** How many blocks evidence carries at most. */
const MOST_BLOCKS = 32;

type Side = "new" | "legacy";

/** Each unit once, in the block in which it first started, with what all processes know of it. */
function unitsByBlock(rows: readonly CounterRow[], side: Side): ReadonlyMap<number, readonly UnitRow[]> {
  const known = new Map<number, { readonly start: number; unit: UnitRow }>();
  for (const row of rows) {
    for (const unit of row[side].units ?? []) {
      const before = known.get(unit[0]);
      if (before === undefined) known.set(unit[0], { start: row.start, unit });
      else before.unit = mergeUnits(before.unit, unit);
    }
  }
  const blocks = new Map<number, UnitRow[]>();
  for (const { start, unit } of known.values()) {
    const block = blocks.get(start);
    if (block === undefined) blocks.set(start, [unit]);
    else block.push(unit);
  }
  return blocks;
}

/** What {@link gather} counts, and how. */
export interface GatherOptions {
  readonly frozen: FrozenLimits;
  readonly latencyCeilingMs: number;
  /** Blocks that began earlier are left out, milliseconds since the epoch. */
  readonly from: number;
  readonly now: number;
  /** Durations of units that started within so many milliseconds are left out. @defaultValue 0 */
  readonly warmUpMs?: number;
}

/**
 * Adds up the rows of all processes whose block began at `from` or later. Empty blocks are put at the end for the time
 * since the last report, so that silence is seen.
 */
export function gather(all: readonly CounterRow[], options: GatherOptions): Gathered {
  const { frozen, latencyCeilingMs, from, now, warmUpMs = 0 } = options;
  const rows = all.filter((row) => row.start >= from).sort((a, b) => a.start - b.start);
  const units = { new: unitsByBlock(rows, "new"), legacy: unitsByBlock(rows, "legacy") };
  const byStart = new Map<number, CounterRow[]>();
  for (const row of rows) {
    const same = byStart.get(row.start);
    if (same === undefined) byStart.set(row.start, [row]);
    else same.push(row);
  }
  const blocks: CounterBlock[] = [];
  const sums = { new: createSum(), legacy: createSum() };
  let shadow: Record<string, number> = { ...noShadow };
  let persistence: Record<string, number> = { checked: 0, missing: 0 };
  let observedMs = 0;
  let limits = frozen;
  for (const [start, same] of byStart) {
    const armOf = (side: Side) => {
      const rest = same.map((row) => row[side]).reduce(addArms);
      const arm = fold({ rest, units: units[side].get(start) ?? [] });
      const counted = start < from + warmUpMs ? { ...arm, durations: [] } : arm;
      sums[side].add(counted);
      return counts(counted, limits, latencyCeilingMs);
    };
    let block: CounterBlock = { start, end: start, new: armOf("new"), legacy: armOf("legacy") };
    for (const row of same) {
      block = addExtras(block, row);
      shadow = merge(shadow, row.shadow as Readonly<Record<string, number>> | undefined);
      persistence = merge(persistence, row.persistence);
    }
    if (same.some((row) => hasTraffic(row.new) || hasTraffic(row.legacy)))
      observedMs += Math.max(0, Math.min(block.end, now) - block.start);
    blocks.push(block);
    // Without a step before it, a step's first legacy units set the limits that the later ones are held against.
    if (Object.keys(limits).length < 3) limits = { ...freeze(sums.legacy.sum(), {}), ...limits };
  }
  const last = blocks.at(-1);
  if (last !== undefined && now >= last.end + (last.end - last.start)) {
    const half = (now - last.end) / 2;
    for (const start of [last.end, last.end + half])
      blocks.push({ start, end: start + half, new: noCounts, legacy: noCounts });
  }
  return {
    blocks: compactBlocks(blocks, MOST_BLOCKS),
    new: sums.new.sum(),
    legacy: sums.legacy.sum(),
    observedMs,
    shadow: shadow as unknown as ShadowCounts,
    persistence: persistence as { checked: number; missing: number },
  };
}

const hasTraffic = (arm: ArmRow): boolean => arm.assigned > 0 || (arm.units?.length ?? 0) > 0;

function addExtras(block: CounterBlock, row: CounterRow): CounterBlock {
  const operations: Record<string, OperationCounts> = { ...block.operations };
  for (const [name, { attempts, successes }] of Object.entries(row.operations ?? {})) {
    const before = operations[name] ?? { attempts: 0, successes: 0 };
    operations[name] = { attempts: before.attempts + attempts, successes: before.successes + successes };
  }
  const errorClasses = merge({ ...block.errorClasses }, row.errorClasses);
  return {
    ...block,
    end: Math.max(block.end, row.end),
    ...(Object.keys(operations).length > 0 ? { operations } : {}),
    ...(Object.keys(errorClasses).length > 0 ? { errorClasses } : {}),
  };
}

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
const LEAST_SAMPLES = 50;

/**
 * What the next step freezes: the legacy arm's 95th percentiles, where enough was sampled; else what was frozen before.
 */
export function freeze(legacy: ArmSum, before: FrozenLimits): FrozenLimits {
  const of = (histogram: Histogram, old: number | undefined) =>
    histogramTotal(histogram) < LEAST_SAMPLES ? old : quantile(histogram, 0.95);
  const [slowOver, costOver, stepsOver] = [
    of(legacy.durations, before.slowOver),
    of(legacy.costs, before.costOver),
    of(legacy.steps, before.stepsOver),
  ];
  return {
    ...(slowOver === undefined ? {} : { slowOver }),
    ...(costOver === undefined ? {} : { costOver }),
    ...(stepsOver === undefined ? {} : { stepsOver }),
  };
}
