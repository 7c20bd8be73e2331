import { createArmTotal } from "./arm-sum.ts";
import {
  addArms,
  addExtras,
  countsOf,
  foldArm,
  hasTraffic,
  noShadow,
  type CounterRow,
  type FoldedArm,
  type FrozenLimits,
  type Gathered,
  type ShadowCounts,
} from "./counter-row.ts";
import { compactBlocks, mergeBlocks, noCounts, type CounterBlock } from "./counters.ts";
import { freezeInOrder, sameSpans, type LimitSpan } from "./freeze-in-order.ts";
import { createUnitIndex, type UnitBlock } from "./unit-index.ts";
import type { UnitRow } from "./unit-row.ts";

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

/** How many blocks evidence carries at most. */
const MOST_BLOCKS = 32;
type Side = "new" | "legacy";
const sides = ["new", "legacy"] as const;

interface Source {
  readonly start: number;
  position: number;
  row: CounterRow;
}

interface Block {
  readonly start: number;
  readonly sources: Source[];
  readonly units: Readonly<Record<Side, UnitBlock>>;
  /** Its place among the blocks. */
  index: number;
  /** What is summed at present; absent for a block that has changed. */
  arms?: Readonly<Record<Side, FoldedArm>>;
}

/** A block as the guards see it, with the sums of everything before it. */
interface Read {
  readonly block: CounterBlock;
  readonly observedMs: number;
  readonly shadow: Readonly<Record<string, number>>;
  readonly persistence: Readonly<Record<string, number>>;
}

/** The rows of one flag, added up again after each report at the price of what has changed. */
export type Gatherer = (all: readonly CounterRow[], options: GatherOptions) => Gathered;

/**
 * Adds up the rows of all processes whose block began at `from` or later. Empty blocks are put at the end for the time
 * since the last report, so that silence is seen. The gatherer remembers: the next call costs what has changed since.
 */
export function createGatherer(): Gatherer {
  let current: { readonly key: string; readonly tally: ReturnType<typeof createTally> } | undefined;
  return (all, options) => {
    const key = `${options.from} ${options.warmUpMs ?? 0}`;
    if (current?.key !== key || !current.tally.update(all)) {
      current = { key, tally: createTally(options.from, options.warmUpMs ?? 0) };
      current.tally.update(all);
    }
    return current.tally.read(options);
  };
}

/** All rows since a point in time, added up once. */
export const gather: Gatherer = (all, options) => createGatherer()(all, options);

function createTally(from: number, warmUpMs: number) {
  let listed: Source[] = [];
  const sources = new Map<string, Source>();
  const blocks = new Map<number, Block>();
  let ordered: Block[] = [];
  /** Blocks before this one are as they were at the last look. */
  let clean = 0;
  const units = { new: createUnitIndex(), legacy: createUnitIndex() };
  const totals = { new: createArmTotal(), legacy: createArmTotal() };
  const merged = new WeakMap<CounterBlock, { readonly next: CounterBlock; readonly whole: CounterBlock }>();

  function blockAt(start: number): Block {
    let block = blocks.get(start);
    if (block === undefined) {
      block = { start, sources: [], units: { new: { units: new Map() }, legacy: { units: new Map() } }, index: 0 };
      blocks.set(start, block);
      ordered = [...blocks.values()].sort((a, b) => a.start - b.start);
      ordered.forEach((one, at) => (one.index = at));
    }
    if (block.arms !== undefined) for (const side of sides) totals[side].add(counted(block, block.arms[side]), -1);
    delete block.arms;
    clean = Math.min(clean, block.index);
    return block;
  }

  function counted({ start }: Block, arm: FoldedArm): FoldedArm {
    return start < from + warmUpMs ? { ...arm, durations: [] } : arm;
  }

  /** @returns false when a row has vanished, so that everything must be added up anew */
  function update(all: readonly CounterRow[]): boolean {
    const list: Source[] = [];
    for (const row of all) {
      if (row.start < from) continue;
      const near = listed[list.length];
      let source =
        near !== undefined && near.row.start === row.start && near.row.source === row.source
          ? near
          : sources.get(`${row.start} ${row.source}`);
      if (source === undefined) {
        source = { start: row.start, position: list.length, row };
        sources.set(`${row.start} ${row.source}`, source);
        blockAt(row.start).sources.push(source);
        replace(source, undefined, row);
      } else {
        source.position = list.length;
        if (source.row.sequence !== row.sequence) replace(source, source.row, row);
      }
      list.push(source);
    }
    listed = list;
    return list.length === sources.size;
  }

  function replace(source: Source, before: CounterRow | undefined, row: CounterRow): void {
    source.row = row;
    blockAt(row.start);
    const none: readonly UnitRow[] = [];
    for (const side of sides)
      units[side].replace(
        source,
        before?.[side].units ?? none,
        row[side].units ?? none,
        (start) => blockAt(start).units[side],
      );
  }

  function armsOf(block: Block): Readonly<Record<Side, FoldedArm>> {
    if (block.arms !== undefined) return block.arms;
    block.sources.sort((a, b) => a.position - b.position);
    const of = (side: Side) =>
      foldArm({
        rest: block.sources.map(({ row }) => row[side]).reduce(addArms),
        units: [...block.units[side].units.values()],
      });
    block.arms = { new: of("new"), legacy: of("legacy") };
    for (const side of sides) totals[side].add(counted(block, block.arms[side]), 1);
    return block.arms;
  }

  function counterBlock(block: Block, limits: FrozenLimits, latencyCeilingMs: number): CounterBlock {
    const arms = armsOf(block);
    const of = (side: Side) => countsOf(counted(block, arms[side]), limits, latencyCeilingMs);
    let made: CounterBlock = { start: block.start, end: block.start, new: of("new"), legacy: of("legacy") };
    for (const { row } of block.sources) made = addExtras(made, row);
    return made;
  }

  /** Pairs of older blocks are merged in the same way at every look. */
  function mergeOnce(a: CounterBlock, b: CounterBlock): CounterBlock {
    const known = merged.get(a);
    if (known?.next === b) return known.whole;
    const whole = mergeBlocks(a, b);
    merged.set(a, { next: b, whole });
    return whole;
  }

  const start: Omit<Read, "block"> = {
    observedMs: 0,
    shadow: noShadow as unknown as Readonly<Record<string, number>>,
    persistence: { checked: 0, missing: 0 },
  };
  let made: Read[] = [];
  let spans: readonly LimitSpan[] = [];
  let ceiling: number | undefined;
  let lookedAt = -Infinity;

  function readBlock(block: Block, before: Omit<Read, "block">, limits: FrozenLimits, now: number): Read {
    const one = counterBlock(block, limits, ceiling!);
    let { shadow, persistence } = before;
    let busy = false;
    for (const { row } of block.sources) {
      if (row.shadow !== undefined) shadow = plus(shadow, row.shadow as unknown as Readonly<Record<string, number>>);
      if (row.persistence !== undefined) persistence = plus(persistence, row.persistence);
      busy ||= hasTraffic(row.new) || hasTraffic(row.legacy);
    }
    const observedMs = before.observedMs + (busy ? Math.max(0, Math.min(one.end, now) - one.start) : 0);
    return { block: one, observedMs, shadow, persistence };
  }

  function read({ frozen, latencyCeilingMs, now }: GatherOptions): Gathered {
    const settled = spans.length === 0 ? 0 : spans.at(-1)!.from;
    const { slowOver, costOver, stepsOver } = spans.at(-1)?.limits ?? {};
    const complete = ![slowOver, costOver, stepsOver].includes(undefined) && clean >= settled;
    const fresh =
      complete && sameSpans([spans[0]!], [{ from: 0, limits: frozen }])
        ? spans
        : freezeInOrder(
            ordered.map((block) => counted(block, armsOf(block).legacy)),
            frozen,
          );
    if (ceiling !== latencyCeilingMs || now < lookedAt || !sameSpans(spans, fresh)) clean = 0;
    [spans, ceiling] = [fresh, latencyCeilingMs];
    // A block that was under way at the last look has been observed for longer now.
    while (clean > 0 && made[clean - 1]!.block.end > lookedAt) clean--;
    made = made.slice(0, clean);
    for (let at = clean; at < ordered.length; at++) {
      const { limits } = spans.findLast((span) => span.from <= at)!;
      made.push(readBlock(ordered[at]!, made.at(-1) ?? start, limits, now));
    }
    [clean, lookedAt] = [ordered.length, now];
    const { observedMs, shadow, persistence } = made.at(-1) ?? start;
    const all = made.map((one) => one.block);
    const last = all.at(-1);
    if (last !== undefined && now >= last.end + (last.end - last.start)) {
      const half = (now - last.end) / 2;
      for (const begin of [last.end, last.end + half])
        all.push({ start: begin, end: begin + half, new: noCounts, legacy: noCounts });
    }
    return {
      blocks: compactBlocks(all, MOST_BLOCKS, mergeOnce),
      new: totals.new.sum(),
      legacy: totals.legacy.sum(),
      observedMs,
      shadow: shadow as unknown as ShadowCounts,
      persistence: persistence as { checked: number; missing: number },
    };
  }

  return { update, read };
}

function plus(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const whole = { ...a };
  for (const [name, value] of Object.entries(b)) whole[name] = (whole[name] ?? 0) + value;
  return whole;
}
