/**
 * What one arm did, counted in bucketing units: sessions, unless the flag draws projects or organisations. A unit is
 * counted in the block in which it first *started*, once per field, however often it failed: turns of one unit are not
 * independent, and counting them rolled back up to half of all harmless rollouts when failing sessions retried.
 */
export interface ArmCounts {
  /** Units drawn into the arm. */
  readonly assigned: number;
  /** Units of those whose engine ended at least one turn. */
  readonly exposed: number;
  /** Units with at least one turn that was ok, failed or incomplete. Without one there is no data. */
  readonly judged: number;
  /** Units with at least one failed turn. */
  readonly failed: number;
  /** Units with at least one turn that ended without its answer. */
  readonly incomplete: number;
  /** Units with at least one incident whose code no rule knows. */
  readonly unknown: number;
  /** Units whose engine tells of its action calls. */
  readonly called: number;
  /** Units with at least one failed action call. */
  readonly actionFailed: number;
  /** Action calls, and those that failed. */
  readonly calls: number;
  readonly callFailures: number;
  /** Units of which one turn was sampled for its duration. */
  readonly sampled: number;
  /** Units with a sampled turn that started while the legacy arm's 95th percentile was known. */
  readonly timed: number;
  /** Of those, turns slower than it. */
  readonly slow: number;
  /** Sampled turns slower than the absolute ceiling. */
  readonly overLimit: number;
  /** Units whose cost is known, and a limit for it. */
  readonly costed: number;
  /** Units with a mean cost over the legacy arm's frozen 95th percentile. */
  readonly costly: number;
  /** Units whose cost is known, and the legacy arm's frozen percentiles. */
  readonly costGraded: number;
  /** Units with a mean cost over the legacy arm's frozen median, 75th and 90th percentile. */
  readonly costOver50: number;
  readonly costOver75: number;
  readonly costOver90: number;
  /** Units whose steps are known, and a limit for them. */
  readonly stepped: number;
  /** Units with more steps a turn than the legacy arm's frozen 95th percentile. */
  readonly long: number;
}

/** Attempts and successes of one declared operation on the new engine. */
export interface OperationCounts {
  readonly attempts: number;
  readonly successes: number;
}

/** The sessions that started in one stretch of time, both arms. */
export interface CounterBlock {
  /** Milliseconds since the epoch. */
  readonly start: number;
  /** Milliseconds since the epoch, exclusive. */
  readonly end: number;
  readonly new: ArmCounts;
  readonly legacy: ArmCounts;
  /** Declared operations, new engine only. */
  readonly operations?: Readonly<Record<string, OperationCounts>>;
  /** Sessions of the new arm that met an error of a listed class. */
  readonly errorClasses?: Readonly<Record<string, number>>;
}

/** What a finished step left behind. */
export interface StepTotals {
  /** The share of sessions that the plan gave to the new arm, 0 … 1. */
  readonly share: number;
  readonly new: ArmCounts;
  readonly legacy: ArmCounts;
}

/** An arm in which nothing happened. */
export const noCounts: ArmCounts = {
  assigned: 0,
  exposed: 0,
  judged: 0,
  failed: 0,
  incomplete: 0,
  unknown: 0,
  called: 0,
  actionFailed: 0,
  calls: 0,
  callFailures: 0,
  sampled: 0,
  timed: 0,
  slow: 0,
  overLimit: 0,
  costed: 0,
  costly: 0,
  costGraded: 0,
  costOver50: 0,
  costOver75: 0,
  costOver90: 0,
  stepped: 0,
  long: 0,
};

/** The sum of two arms' counts. Written out: it runs thousands of times at each look. */
export function addCounts(a: ArmCounts, b: ArmCounts): ArmCounts {
  return {
    assigned: a.assigned + b.assigned,
    exposed: a.exposed + b.exposed,
    judged: a.judged + b.judged,
    failed: a.failed + b.failed,
    incomplete: a.incomplete + b.incomplete,
    unknown: a.unknown + b.unknown,
    called: a.called + b.called,
    actionFailed: a.actionFailed + b.actionFailed,
    calls: a.calls + b.calls,
    callFailures: a.callFailures + b.callFailures,
    sampled: a.sampled + b.sampled,
    timed: a.timed + b.timed,
    slow: a.slow + b.slow,
    overLimit: a.overLimit + b.overLimit,
    costed: a.costed + b.costed,
    costly: a.costly + b.costly,
    costGraded: a.costGraded + b.costGraded,
    costOver50: a.costOver50 + b.costOver50,
    costOver75: a.costOver75 + b.costOver75,
    costOver90: a.costOver90 + b.costOver90,
    stepped: a.stepped + b.stepped,
    long: a.long + b.long,
  };
}

/** One block out of two; the later one's end. */
export function mergeBlocks(a: CounterBlock, b: CounterBlock): CounterBlock {
  const sum = {
    start: Math.min(a.start, b.start),
    end: Math.max(a.end, b.end),
    new: addCounts(a.new, b.new),
    legacy: addCounts(a.legacy, b.legacy),
  };
  return { ...sum, ...mergeExtras(a, b) };
}

function mergeExtras(a: CounterBlock, b: CounterBlock): Pick<CounterBlock, "operations" | "errorClasses"> {
  const none = [a.operations, b.operations, a.errorClasses, b.errorClasses].every((extra) => extra === undefined);
  if (none) return {};
  const operations: Record<string, OperationCounts> = { ...a.operations };
  for (const [name, counts] of Object.entries(b.operations ?? {})) {
    const before = operations[name] ?? { attempts: 0, successes: 0 };
    operations[name] = { attempts: before.attempts + counts.attempts, successes: before.successes + counts.successes };
  }
  const errorClasses: Record<string, number> = { ...a.errorClasses };
  for (const [name, count] of Object.entries(b.errorClasses ?? {}))
    errorClasses[name] = (errorClasses[name] ?? 0) + count;
  return {
    ...(Object.keys(operations).length > 0 ? { operations } : {}),
    ...(Object.keys(errorClasses).length > 0 ? { errorClasses } : {}),
  };
}

/**
 * At most `most` blocks: the older half is merged in pairs until they fit, so that the youngest stay fine. Merging
 * costs no validity, because within a step
 * the share of each arm is constant.
 */
export function compactBlocks(
  blocks: readonly CounterBlock[],
  most: number,
  merge: (a: CounterBlock, b: CounterBlock) => CounterBlock = mergeBlocks,
): CounterBlock[] {
  let out = [...blocks];
  while (out.length > most) {
    const half = Math.floor(out.length / 2);
    const merged: CounterBlock[] = [];
    for (let at = 0; at < half; at += 2) merged.push(at + 1 < half ? merge(out[at]!, out[at + 1]!) : out[at]!);
    out = [...merged, ...out.slice(half)];
  }
  return out;
}

/** The sum of all blocks, by arm. */
export function totals(blocks: readonly CounterBlock[]): { readonly new: ArmCounts; readonly legacy: ArmCounts } {
  let fresh = noCounts;
  let legacy = noCounts;
  for (const block of blocks) {
    fresh = addCounts(fresh, block.new);
    legacy = addCounts(legacy, block.legacy);
  }
  return { new: fresh, legacy };
}
