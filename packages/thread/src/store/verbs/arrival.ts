import type { ItemRow } from "../rows.ts";

/** The key of an item's metadata under which its place in the inbox is kept. */
const PLACE = "inboxSeq";

/**
 * An item that another turn is to hear, with its place in the inbox: it has no sequence number until it was heard, and
 * clocks do not tell an order.
 */
export function arriving(item: ItemRow, executionId: string, inboxSeq: number): ItemRow {
  return { ...item, executionId, seq: null, metadata: { ...item.metadata, [PLACE]: inboxSeq } };
}

const placeOf = ({ metadata }: ItemRow) => Number(metadata[PLACE] ?? 0);

/** First come, first heard. */
export function byArrival(a: ItemRow, b: ItemRow): number {
  return placeOf(a) - placeOf(b) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
