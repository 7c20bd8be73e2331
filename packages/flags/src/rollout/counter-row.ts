import { compactBlocks, noCounts, type ArmCounts, type CounterBlock, type OperationCounts } from "./counters.ts";
import type { ArmPair, GuardInput } from "./guards/types.ts";
import { countOver, histogramMean, histogramTotal, mergeHistograms, quantile, type Histogram } from "./histogram.ts";

/**
 * Sessions by a 32-bit mark of their id. Turns of one session may run in several processes, each of which sees a
 * failure of its own: marks let the session
 * count once all the same, without sending anybody its id.
 */
export type SessionMarks = readonly number[];

/** What one arm did in one block, as a process reports it. Sessions, not turns; see {@link ArmCounts}. */
export interface ArmRow {
  readonly assigned: number;
  readonly exposed: number;
  readonly failed: SessionMarks;
  readonly unknown: SessionMarks;
  readonly actionFailed: SessionMarks;
  /** One sampled turn a session, ms. */
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
  readonly failed: number;
  readonly unknown: number;
  readonly actionFailed: number;
  readonly durations: Histogram;
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

/** Two processes' rows of one arm and block as one. */
export function addArms(a: ArmRow, b: ArmRow): ArmRow {
  return {
    assigned: a.assigned + b.assigned,
    exposed: a.exposed + b.exposed,
    failed: union(a.failed, b.failed),
    unknown: union(a.unknown, b.unknown),
    actionFailed: union(a.actionFailed, b.actionFailed),
    durations: mergeHistograms(a.durations, b.durations),
    costs: mergeHistograms(a.costs, b.costs),
    steps: mergeHistograms(a.steps, b.steps),
  };
}

/** Sums many rows without merging the histograms over and over. */
function createSum(): { readonly add: (row: ArmRow) => void; readonly sum: () => ArmSum } {
  const total = { assigned: 0, exposed: 0, failed: 0, unknown: 0, actionFailed: 0 };
  const histograms = {
    durations: new Map<number, number>(),
    costs: new Map<number, number>(),
    steps: new Map<number, number>(),
  };
  const kinds = ["durations", "costs", "steps"] as const;
  const sorted = (counts: Map<number, number>): Histogram => [...counts].sort((a, b) => a[0] - b[0]);
  return {
    add(row) {
      total.assigned += row.assigned;
      total.exposed += row.exposed;
      total.failed += row.failed.length;
      total.unknown += row.unknown.length;
      total.actionFailed += row.actionFailed.length;
      for (const kind of kinds)
        for (const [bucket, count] of row[kind])
          histograms[kind].set(bucket, (histograms[kind].get(bucket) ?? 0) + count);
    },
    sum: () => ({
      ...total,
      durations: sorted(histograms.durations),
      costs: sorted(histograms.costs),
      steps: sorted(histograms.steps),
    }),
  };
}

function counts(arm: ArmRow, frozen: FrozenLimits, latencyCeilingMs: number): ArmCounts {
  const { assigned, exposed } = arm;
  return {
    ...noCounts,
    assigned,
    exposed,
    // A session that began elsewhere may fail here before its own process has reported it.
    failed: Math.min(arm.failed.length, assigned),
    unknown: Math.min(arm.unknown.length, assigned),
    actionFailed: Math.min(arm.actionFailed.length, assigned),
    sampled: histogramTotal(arm.durations),
    slow: frozen.slowOver === undefined ? 0 : countOver(arm.durations, frozen.slowOver),
    overLimit: countOver(arm.durations, latencyCeilingMs),
    costly: frozen.costOver === undefined ? 0 : countOver(arm.costs, frozen.costOver),
    long: frozen.stepsOver === undefined ? 0 : countOver(arm.steps, frozen.stepsOver),
  };
}

const merge = (a: Record<string, number>, b: Readonly<Record<string, number>> = {}): Record<string, number> => {
  const sum = { ...a };
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
};

/** How many blocks evidence carries at most. */
const MOST_BLOCKS = 32;

/**
 * Adds up the rows of all processes whose block began at `from` or later. Empty blocks are put at the end for the time
 * since the last report, so that
 * silence is seen.
 */
export function gather(
  rows: readonly CounterRow[],
  frozen: FrozenLimits,
  latencyCeilingMs: number,
  from: number,
  now: number,
): Gathered {
  const byStart = new Map<number, CounterRow[]>();
  for (const row of rows) {
    if (row.start < from) continue;
    const same = byStart.get(row.start);
    if (same === undefined) byStart.set(row.start, [row]);
    else same.push(row);
  }
  const blocks: CounterBlock[] = [];
  const [fresh, legacy] = [createSum(), createSum()];
  let shadow: Record<string, number> = { ...noShadow };
  let persistence: Record<string, number> = { checked: 0, missing: 0 };
  let observedMs = 0;
  for (const start of [...byStart.keys()].sort((a, b) => a - b)) {
    let block: CounterBlock = { start, end: start, new: noCounts, legacy: noCounts };
    const [first, ...others] = byStart.get(start)!;
    let [newRow, legacyRow] = [first!.new, first!.legacy];
    for (const row of others) {
      newRow = addArms(newRow, row.new);
      legacyRow = addArms(legacyRow, row.legacy);
    }
    for (const row of byStart.get(start)!) {
      block = addExtras(block, row);
      shadow = merge(shadow, row.shadow as Readonly<Record<string, number>> | undefined);
      persistence = merge(persistence, row.persistence);
    }
    fresh.add(newRow);
    legacy.add(legacyRow);
    block = {
      ...block,
      new: counts(newRow, frozen, latencyCeilingMs),
      legacy: counts(legacyRow, frozen, latencyCeilingMs),
    };
    if (block.new.assigned + block.legacy.assigned > 0)
      observedMs += Math.max(0, Math.min(block.end, now) - block.start);
    blocks.push(block);
  }
  const last = blocks.at(-1);
  if (last !== undefined && now >= last.end + (last.end - last.start)) {
    const half = (now - last.end) / 2;
    for (const start of [last.end, last.end + half])
      blocks.push({ start, end: start + half, new: noCounts, legacy: noCounts });
  }
  return {
    blocks: compactBlocks(blocks, MOST_BLOCKS),
    new: fresh.sum(),
    legacy: legacy.sum(),
    observedMs,
    shadow: shadow as unknown as ShadowCounts,
    persistence: persistence as { checked: number; missing: number },
  };
}

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
