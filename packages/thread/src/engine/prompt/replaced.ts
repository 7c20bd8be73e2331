import type { ItemRow } from "../../store/rows.ts";
import type { HistoryEntry } from "../../store/store.ts";

/** The member of a trigger's metadata that names the place from which its turn replaces the history. */
export const REPLACES_FROM = "replacesFromSeq";

/** The sequence number from which an item's turn replaces older ones, as a regenerated answer does. */
export function replacesFrom({ metadata }: Pick<ItemRow, "metadata">): number | undefined {
  const from = metadata[REPLACES_FROM];
  return typeof from === "number" && Number.isSafeInteger(from) && from > 0 ? from : undefined;
}

/**
 * A history without the items that a later turn replaces. They stay in the store: what a replaced turn did took effect.
 *
 * @param entries - oldest first
 */
export function withoutReplaced(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const kept: HistoryEntry[] = [];
  let before = Infinity;
  for (const entry of entries.toReversed()) {
    const { item } = entry;
    const replaced = item.seq !== null && item.seq >= before && item.kind !== "summary";
    if (!replaced) kept.push(entry);
    // What a replaced turn replaced stays replaced.
    const from = replacesFrom(item);
    if (from !== undefined && item.seq !== null && from < item.seq) before = Math.min(from, before);
  }
  return kept.toReversed();
}
