import type { JsonObject } from "@hebra/core";
import type { ExecutionRow, ItemRow, TriggerRow } from "../rows.ts";

/** The key of an item's metadata under which its place in the inbox is kept. */
const PLACE = "inboxSeq";
/** The key under which is kept what the item would have begun by itself. */
const WOULD_BEGIN = "wouldBegin";

/** What an item that joined another's turn would have begun by itself. */
export interface WouldBegin {
  triggerId: string;
  digest: string;
  definition: string;
  definitionVersion: number;
  correlation: JsonObject;
}

/**
 * An item that another turn is to hear, with its place in the inbox: it has no sequence number until it was heard, and
 * clocks do not tell an order. What it would have begun by itself is kept, for when that turn is cancelled.
 */
export function arriving(
  item: ItemRow,
  executionId: string,
  inboxSeq: number,
  own: { trigger: TriggerRow; execution: ExecutionRow },
): ItemRow {
  const { definition, definitionVersion, correlation } = own.execution;
  const { triggerId, digest } = own.trigger;
  const wouldBegin = { triggerId, digest, definition, definitionVersion, correlation };
  return {
    ...item,
    executionId,
    seq: null,
    metadata: { ...item.metadata, [PLACE]: inboxSeq, [WOULD_BEGIN]: wouldBegin },
  };
}

/** What an item would have begun by itself, and its place in the inbox; nothing when an older build wrote it. */
export function wouldBegin({ metadata }: ItemRow): (WouldBegin & { inboxSeq: number }) | undefined {
  const kept = metadata[WOULD_BEGIN] as WouldBegin | undefined;
  return kept === undefined ? undefined : { ...kept, inboxSeq: Number(metadata[PLACE]) };
}

/** An item as it came, without what is kept of its arrival. */
export function asItCame(item: ItemRow): ItemRow {
  const { [PLACE]: _place, [WOULD_BEGIN]: _begun, heardAt: _heardAt, ...metadata } = item.metadata;
  return { ...item, seq: null, metadata };
}

const placeOf = ({ metadata }: ItemRow) => Number(metadata[PLACE] ?? 0);

/** First come, first heard. */
export function byArrival(a: ItemRow, b: ItemRow): number {
  return placeOf(a) - placeOf(b) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
