import type { JsonValue } from "@hebra/core";
import type { ContextRow } from "../store/rows.ts";
import type { HistoryEntry, ThreadStore } from "../store/store.ts";

/** One of two lines of history, from where they part. */
export interface ComparedSide {
  contextId: string;
  /** What the other has not got, oldest first. */
  items: HistoryEntry[];
  /** The state document as it is now. */
  state: JsonValue;
}

/** Two lines of history side by side. */
export interface Comparison {
  /** The last item that both share; `undefined` when they share none. */
  sharedUpTo: string | undefined;
  left: ComparedSide;
  right: ComparedSide;
}

interface Line {
  tenant: string;
  context: ContextRow;
}

/** Reads both histories whole. */
export async function compareContexts(store: ThreadStore, left: Line, right: Line): Promise<Comparison> {
  const [ours, theirs] = (await Promise.all(
    [left, right].map(({ tenant, context }) => store.history(tenant, context.id, { items: Infinity })),
  )) as [HistoryEntry[], HistoryEntry[]];
  const parts = ours.findIndex(({ item }, index) => !sameItem(item, theirs[index]?.item));
  const shared = parts === -1 ? ours.length : parts;
  const side = ({ context }: Line, history: HistoryEntry[]): ComparedSide => ({
    contextId: context.id,
    items: history.slice(shared),
    state: context.state,
  });
  return { sharedUpTo: ours[shared - 1]?.item.id, left: side(left, ours), right: side(right, theirs) };
}

/** A shared item is one row: an item of the same id in another context, as of another tenant, is another. */
const sameItem = (item: HistoryEntry["item"], other: HistoryEntry["item"] | undefined) =>
  item.id === other?.id && item.contextId === other.contextId;
