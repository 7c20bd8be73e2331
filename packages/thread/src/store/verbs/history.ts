import type { DurableEvent } from "../../stream/envelope.ts";
import type { ItemRow, PartRow } from "../rows.ts";
import type { HistoryEntry, HistoryPage, HistoryWindow } from "../store.ts";
import { contexts, items, journal, parts, type StoredContext } from "../tables.ts";
import { find, finding, findOne, readAll, type Verb } from "./op.ts";
import { checkLimit } from "./limit.ts";
import { sortParts } from "./load.ts";

/** One context of a fork's line, and how far it belongs to the line. */
interface Segment {
  id: string;
  upTo: number;
}

/** What a segment gives to a window, newest first. */
interface Found {
  items: ItemRow[];
  summary: ItemRow | undefined;
  parent: Segment | undefined;
}

function* look(tenant: string, { id, upTo }: Segment, limit: number): Verb<Found> {
  const range = { is: "<=" as const, values: [upTo] };
  const [[context], found, [summary]] = yield* readAll(
    finding(contexts, "key", [tenant, id]),
    finding(items, "inOrder", [tenant, id], {
      range,
      descending: true,
      ...(Number.isFinite(limit) && { limit: Math.max(0, limit) }),
    }),
    finding(items, "summaries", [tenant, id], { range, descending: true, limit: 1 }),
  );
  return { items: found, summary, parent: parentOf(context, upTo) };
}

/** What a fork shares of the context that it is a fork of. */
function parentOf(context: StoredContext | undefined, upTo: number): Segment | undefined {
  const { parentContextId = null, parentSeq = null } = context ?? {};
  if (parentContextId === null || parentSeq === null) return undefined;
  return { id: parentContextId, upTo: Math.min(upTo, parentSeq) };
}

export function* history(tenant: string, contextId: string, window: HistoryWindow): Verb<HistoryEntry[]> {
  const taken: ItemRow[] = [];
  let summary: ItemRow | undefined;
  let next: Segment | undefined = { id: contextId, upTo: window.upToSeq ?? Number.MAX_SAFE_INTEGER };
  while (next !== undefined && (taken.length <= window.items || summary === undefined)) {
    // One more than wanted, to see whether the oldest turn would be cut.
    const found: Found = yield* look(tenant, next, window.items - taken.length + 1);
    taken.push(...found.items);
    summary ??= found.summary;
    next = found.parent;
  }
  return yield* entries(tenant, taken, window.items, summary);
}

/** The items of a window with their parts, without the turns of which an older item is outside. */
function* entries(
  tenant: string,
  taken: readonly ItemRow[],
  limit: number,
  summary: ItemRow | undefined,
): Verb<HistoryEntry[]> {
  const oldest = taken.length > limit ? taken[limit]! : undefined;
  const inside = oldest === undefined ? taken : taken.slice(0, limit);
  const turns = inside
    .filter((item) => item.contextId === oldest?.contextId && item.executionId !== null)
    .map((item) => item.executionId!);
  const chosen = summary === undefined ? [...inside] : [...inside, summary];
  if (chosen.length === 0) return [];
  const ofChosen = finding(parts, "ofItem", [tenant], { anyOf: chosen.map((item) => item.id) });
  const [found, siblings] = yield* readAll(
    ofChosen,
    ...(oldest === undefined || turns.length === 0
      ? []
      : [
          finding(items, "ofExecution", [tenant], {
            anyOf: [...new Set(turns)],
            range: { is: "<=", values: [oldest.seq!] },
          }),
        ]),
  );
  const cut = new Set((siblings ?? []).map((item) => item.executionId));
  const whole = chosen.filter((item) => item === summary || item.executionId === null || !cut.has(item.executionId));
  whole.sort((a, b) => a.seq! - b.seq!);
  const byItem = new Map<string, PartRow[]>(chosen.map((item) => [item.id, []]));
  for (const part of found) byItem.get(part.itemId)!.push(part);
  return whole.map((item) => ({ item, parts: sortParts(byItem.get(item.id)!) }));
}

/** The contexts of a fork's line, newest first, as far as they can hold items after a sequence number. */
function* lineOf(tenant: string, contextId: string, upTo: number, after: number): Verb<Segment[]> {
  const line: Segment[] = [];
  let next: Segment | undefined = { id: contextId, upTo };
  while (next !== undefined && next.upTo > after) {
    line.push(next);
    const context: StoredContext | undefined = yield* findOne(contexts, "key", [tenant, next.id]);
    const { upTo }: Segment = next;
    next = parentOf(context, upTo);
  }
  return line;
}

export function* historyPage(tenant: string, contextId: string, page: HistoryPage): Verb<HistoryEntry[]> {
  const limit = checkLimit(page.limit);
  const { before = Number.MAX_SAFE_INTEGER, after = -1 } = page;
  const descending = page.before !== undefined || page.after === undefined;
  const line = yield* lineOf(tenant, contextId, before - 1, after);
  const taken: ItemRow[] = [];
  for (const { id, upTo } of descending ? line : line.reverse()) {
    if (taken.length >= limit) break;
    const found = yield* find(items, "inOrder", [tenant, id], {
      range: descending ? { is: "<=", values: [upTo] } : { is: ">", values: [after] },
      limit: limit - taken.length,
      ...(descending && { descending }),
    });
    taken.push(...found.filter(({ seq }) => seq! > after && seq! <= upTo));
  }
  if (taken.length === 0) return [];
  const found = yield* find(parts, "ofItem", [tenant], { anyOf: taken.map((item) => item.id) });
  const byItem = new Map<string, PartRow[]>(taken.map((item) => [item.id, []]));
  for (const part of found) byItem.get(part.itemId)!.push(part);
  taken.sort((a, b) => a.seq! - b.seq!);
  return taken.map((item) => ({ item, parts: sortParts(byItem.get(item.id)!) }));
}

export function* readJournal(tenant: string, contextId: string, afterSeq: number, limit: number): Verb<DurableEvent[]> {
  const events: DurableEvent[] = [];
  let after = afterSeq;
  while (events.length < limit) {
    const rows = yield* find(journal, "after", [tenant, contextId], {
      range: { is: ">", values: [after] },
      limit: Math.min(limit - events.length, 200),
    });
    if (rows.length === 0) break;
    for (const row of rows)
      for (const event of row.events) if (event.seq > afterSeq && events.length < limit) events.push(event);
    after = rows.at(-1)!.lastSeq;
  }
  return events;
}
