import type { JsonObject, JsonValue } from "@hebra/core";
import { documentBefore } from "../engine/rows/state.ts";
import { ENVELOPE_VERSION, type DurableEvent, type DurableEventType } from "../stream/envelope.ts";
import type { ItemRow } from "../store/rows.ts";
import type { Changes, ContextBundle } from "../store/store.ts";

/** How an import closes what the old engine has not ended. */
const UNFINISHED = "imported-unfinished";

/**
 * What the old engine has added to a conversation since the new one went on with it, as one write of a holder: turns in
 * the old engine's order, behind everything that is there. What is known by its id is left alone, also what the new
 * engine
 * wrote and handed over; only a turn that was taken in unfinished is brought up to its end.
 *
 * @param present - the context as it is in the thread store
 * @param old - the same context as the old rows tell it
 * @returns nothing when nothing was added
 */
export function appendTurns(
  tenant: string,
  present: ContextBundle,
  old: ContextBundle,
  at: number,
  state?: JsonValue,
): Changes | undefined {
  const known = new Map(present.items.map((item) => [item.id, item]));
  const turns = new Map(present.executions.map((row) => [row.id, row]));
  const added = old.executions.filter(({ id }) => !turns.has(id));
  const ended = old.executions.filter(
    ({ id, outcome }) => turns.get(id)?.outcome === UNFINISHED && outcome !== UNFINISHED,
  );
  const written = new Set([...added, ...ended].map(({ id }) => id));
  const fresh = old.items.filter(({ id }) => !known.has(id)).sort((a, b) => a.seq! - b.seq!);
  if (fresh.length === 0 && written.size === 0) return undefined;

  const contextId = present.context.id;
  const threadId = present.context.threadId;
  const events: DurableEvent[] = [];
  const add = (type: DurableEventType, executionId: string | null, data: JsonObject): number => {
    const seq = present.context.seq + events.length + 1;
    events.push({ v: ENVELOPE_VERSION, seq, at, tenant, contextId, executionId, type, data });
    return seq;
  };
  const partsOf = (item: ItemRow) =>
    old.parts.filter(({ itemId }) => itemId === item.id).sort((a, b) => a.index - b.index);
  const items = fresh.map((item): ItemRow => {
    const { id, kind, role, channel, status, content, createdAt, executionId } = item;
    const seq = add("item-created", executionId, {
      itemId: id,
      kind,
      role,
      channel,
      status,
      content: [...content] as never,
      createdAt,
    });
    for (const part of partsOf(item))
      add("part-created", executionId, {
        partId: part.id,
        itemId: id,
        index: part.index,
        part: part.content as unknown as JsonObject,
      });
    return { ...item, threadId, contextId, seq };
  });
  const later = old.items.flatMap((item): ItemRow[] => {
    const mine = known.get(item.id);
    if (mine === undefined || mine.provenance === null || item.executionId === null || !written.has(item.executionId))
      return [];
    add("item-changed", item.executionId, { itemId: item.id, status: item.status });
    return [{ ...item, threadId, contextId, seq: mine.seq }];
  });
  if (state !== undefined)
    add("context-changed", null, {
      state,
      stateVersion: present.context.stateVersion,
      ...documentBefore(present.context),
    });

  const changed = new Set([...items, ...later].map(({ id }) => id));
  const told = new Set((present.triggers ?? []).map(({ triggerId }) => triggerId));
  const mine = ({ executionId }: { executionId: string | null }) => executionId !== null && written.has(executionId);
  return {
    context: { updatedAt: Math.max(at, present.context.updatedAt), ...(state !== undefined && { state }) },
    items: [...items, ...later],
    executions: [...added, ...ended].map((row) => ({ ...row, threadId, contextId })),
    steps: old.steps.filter(mine),
    parts: old.parts.filter(({ itemId }) => changed.has(itemId)),
    calls: old.calls.filter(mine),
    triggers: (old.triggers ?? []).filter((row) => mine(row) && !told.has(row.triggerId)),
    events,
  };
}
