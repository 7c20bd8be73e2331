import { mergeUnits, type UnitRow } from "./unit-row.ts";

/** Where a part of a unit was reported. `start` and `position` order the parts. */
export interface UnitSource {
  readonly start: number;
  readonly position: number;
}

/** A block, as the index sees it: the units that first started in it. */
export interface UnitBlock {
  readonly units: Map<number, UnitRow>;
}

interface Known {
  readonly parts: { readonly from: UnitSource; unit: UnitRow }[];
  start: number;
}

/**
 * Each unit of one arm once, in the block in which it first started, with what all processes know of it. A report that
 * replaces another changes only the units that differ.
 */
export interface UnitIndex {
  /** @param blockAt - the block that begins then; told of each block whose units change */
  replace(
    from: UnitSource,
    before: readonly UnitRow[],
    after: readonly UnitRow[],
    blockAt: (start: number) => UnitBlock,
  ): void;
}

/** @internal */
export function createUnitIndex(): UnitIndex {
  const known = new Map<number, Known>();

  function put(from: UnitSource, unit: UnitRow): Known | undefined {
    const entry = known.get(unit[0]);
    if (entry === undefined) {
      const made: Known = { parts: [{ from, unit }], start: from.start };
      known.set(unit[0], made);
      return made;
    }
    const own = entry.parts.find((part) => part.from === from);
    if (own !== undefined) {
      if (sameUnit(own.unit, unit)) return undefined;
      own.unit = unit;
      return entry;
    }
    entry.parts.push({ from, unit });
    entry.parts.sort((a, b) => a.from.start - b.from.start || a.from.position - b.from.position);
    return entry;
  }

  function settle(mark: number, entry: Known, blockAt: (start: number) => UnitBlock): void {
    const start = entry.parts[0]?.from.start;
    if (start !== entry.start) blockAt(entry.start).units.delete(mark);
    if (start === undefined) return void known.delete(mark);
    entry.start = start;
    let merged = entry.parts[0]!.unit;
    for (let at = 1; at < entry.parts.length; at++) merged = mergeUnits(merged, entry.parts[at]!.unit);
    blockAt(start).units.set(mark, merged);
  }

  return {
    replace(from, before, after, blockAt) {
      for (const unit of after) {
        const entry = put(from, unit);
        if (entry !== undefined) settle(unit[0], entry, blockAt);
      }
      if (before.length === 0) return;
      const left = new Set(before.map((unit) => unit[0]));
      for (const unit of after) left.delete(unit[0]);
      for (const mark of left) {
        const entry = known.get(mark)!;
        entry.parts.splice(
          entry.parts.findIndex((part) => part.from === from),
          1,
        );
        settle(mark, entry, blockAt);
      }
    },
  };
}

function sameUnit(a: UnitRow, b: UnitRow): boolean {
  if (a === b) return true;
  for (let at = 1; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
