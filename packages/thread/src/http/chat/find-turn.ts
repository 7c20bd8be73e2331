import { HebraError } from "@hebra/core";
import { withoutReplaced } from "../../engine/prompt/replaced.ts";
import type { ItemRow } from "../../store/rows.ts";
import type { HistoryEntry, Snapshot } from "../../store/store.ts";
import type { RawCall } from "../route.ts";
import { shownId } from "./message-ids.ts";

type At = Pick<RawCall, "host" | "caller">;

/** Items of a conversation that are read at once. */
const PAGE = 200;

/** The newest pages of what a client sees of a conversation, newest page first; each page is oldest first. */
export async function* pages({ host, caller }: At, contextId: string): AsyncGenerator<HistoryEntry[], void, void> {
  let before: number | undefined;
  let later: HistoryEntry[] = [];
  for (;;) {
    const page: HistoryEntry[] = await host.store.history(caller.tenant, contextId, { limit: PAGE, before });
    // What a later turn replaces is known by that turn alone.
    const visible = new Set(withoutReplaced([...page, ...later]).map(({ item }) => item.id));
    yield page.filter(({ item }) => visible.has(item.id));
    if (page.length < PAGE) return;
    before = page[0]!.item.seq!;
    later = [...page, ...later].filter(({ item }) => item.kind === "trigger");
  }
}

/** The item that a client knows by an id; the newest, when it was replaced. */
export async function itemOf(call: At, { context, queued }: Snapshot, messageId: string): Promise<ItemRow | undefined> {
  const waiting = queued.find(({ trigger }) => shownId(trigger) === messageId);
  if (waiting !== undefined) return waiting.trigger;
  for await (const page of pages(call, context.id)) {
    const found = page.findLast(({ item }) => shownId(item) === messageId || item.id === messageId);
    if (found !== undefined) return found.item;
  }
  return undefined;
}

/** @throws HebraError `ITEM_NOT_FOUND` */
export async function itemOrRefusal(call: At, snapshot: Snapshot, messageId: string | undefined): Promise<ItemRow> {
  const found = messageId === undefined ? undefined : await itemOf(call, snapshot, messageId);
  if (found === undefined) throw new HebraError("ITEM_NOT_FOUND", "The conversation has no message with this id.");
  return found;
}
