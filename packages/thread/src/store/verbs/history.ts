import type { DurableEvent } from "../../stream/envelope.ts";
import type { ItemRow, PartRow } from "../rows.ts";
import type { HistoryEntry, HistoryWindow } from "../store.ts";
import { contexts, items, journal, parts } from "../tables.ts";
import { find, findOne, type Verb } from "./op.ts";
import { sortParts } from "./load.ts";

/** One context of a fork's line, and how far it belongs to the line. */
interface Segment {
  contextId: string;
  upTo: number;
}

/** The contexts that a history runs through, newest first. */
function* line(tenant: string, contextId: string, upTo: number): Verb<Segment[]> {
  const segments: Segment[] = [];
  let next: Segment | undefined = { contextId, upTo };
  while (next !== undefined) {
    const segment: Segment = next;
    const context = yield* findOne(contexts, "key", [tenant, segment.contextId]);
    if (context === undefined) break;
    segments.push(segment);
    next =
      context.parentContextId === null || context.parentSeq === null ? undefined : { contextId: context.parentContextId, upTo: Math.min(segment.upTo, context.parentSeq) };
  }
  return segments;
}

export function* history(tenant: string, contextId: string, window: HistoryWindow): Verb<HistoryEntry[]> {
  const segments = yield* line(tenant, contextId, window.upToSeq ?? Number.MAX_SAFE_INTEGER);
  const newest = yield* windowed(tenant, segments, window.items);
  const summary = yield* newestSummary(tenant, segments);
  const chosen = summary === undefined ? newest : [...newest, summary];
  chosen.sort((a, b) => a.seq! - b.seq!);
  const found = yield* find(parts, "ofItem", [tenant], { anyOf: chosen.map((item) => item.id) });
  const byItem = new Map<string, PartRow[]>(chosen.map((item) => [item.id, []]));
  for (const part of found) byItem.get(part.itemId)!.push(part);
  return chosen.map((item) => ({ item, parts: sortParts(byItem.get(item.id)!) }));
}

/** The newest items of a line, newest first, without the turns that would be cut. */
function* windowed(tenant: string, segments: readonly Segment[], limit: number): Verb<ItemRow[]> {
  const taken: ItemRow[] = [];
  for (const { contextId, upTo } of segments) {
    const wanted = limit - taken.length + 1;
    const found = yield* find(items, "inOrder", [tenant, contextId], { range: { is: "<=", values: [upTo] }, descending: true, ...(Number.isFinite(wanted) && { limit: wanted }) });
    taken.push(...found);
    if (taken.length > limit) return yield* whole(tenant, taken, limit);
  }
  return taken;
}

/** Drops the turns of which an older item is outside the window. */
function* whole(tenant: string, taken: readonly ItemRow[], limit: number): Verb<ItemRow[]> {
  const oldest = taken[limit]!;
  const inside = taken.slice(0, limit);
  const turns = new Set(inside.filter((item) => item.contextId === oldest.contextId && item.executionId !== null).map((item) => item.executionId!));
  const cut = new Set<string>();
  const siblings = yield* find(items, "ofExecution", [tenant], { anyOf: [...turns], range: { is: "<=", values: [oldest.seq!] } });
  for (const item of siblings) cut.add(item.executionId!);
  return inside.filter((item) => item.executionId === null || !cut.has(item.executionId));
}

function* newestSummary(tenant: string, segments: readonly Segment[]): Verb<ItemRow | undefined> {
  for (const { contextId, upTo } of segments) {
    const found = yield* findOne(items, "summaries", [tenant, contextId], { range: { is: "<=", values: [upTo] }, descending: true });
    if (found !== undefined) return found;
  }
  return undefined;
}

export function* readJournal(tenant: string, contextId: string, afterSeq: number, limit: number): Verb<DurableEvent[]> {
  const events: DurableEvent[] = [];
  let after = afterSeq;
  while (events.length < limit) {
    const rows = yield* find(journal, "after", [tenant, contextId], { range: { is: ">", values: [after] }, limit: Math.min(limit - events.length, 200) });
    if (rows.length === 0) break;
    for (const row of rows) for (const event of row.events) if (event.seq > afterSeq && events.length < limit) events.push(event);
    after = rows.at(-1)!.lastSeq;
  }
  return events;
}
