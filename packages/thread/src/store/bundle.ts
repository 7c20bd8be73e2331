import { digest, type JsonValue } from "@hebra/core";
import type { DurableEvent } from "../stream/envelope.ts";
import { ROW_VERSION } from "./rows.ts";
import type { ContextBundle } from "./store.ts";
import type { Table } from "./table.ts";
import { upcast, type PlainRow } from "./upcast.ts";
import { approvals, calls, contexts, executions, items, outbox, parts, steps, threads, triggers } from "./tables.ts";

/** The tables of a bundle, by its members, with what tells rows apart. */
const members = {
  items: { table: items, key: ["id"] },
  executions: { table: executions, key: ["id"] },
  steps: { table: steps, key: ["executionId", "id"] },
  parts: { table: parts, key: ["itemId", "id"] },
  calls: { table: calls, key: ["executionId", "id"] },
  approvals: { table: approvals, key: ["executionId", "id"] },
  outbox: { table: outbox, key: ["id"] },
  triggers: { table: triggers, key: ["triggerId"] },
} as const;

/** What a context holds besides itself and its journal. */
export type BundleMember = keyof typeof members;
export const bundleMembers = Object.keys(members) as BundleMember[];

/**
 * The digest of a context, whole: equal when every named column of every row is equal, whatever the order of rows and
 * of
 * keys in documents, and whichever store holds it. Left out is what does not belong to the context alone or to its
 * content: the thread's `updatedAt`, which its other contexts move too, `importing`, and the tenant.
 *
 * @returns lower-case hex SHA-256 over RFC 8785 JSON
 *
 * @example
 * ```ts
 * import { bundleDigest, type ThreadStore } from "@hebra/thread";
 *
 * export async function same(a: ThreadStore, b: ThreadStore, contextId: string): Promise<boolean> {
 *   const [left, right] = await Promise.all([a.export("default", contextId), b.export("default", contextId)]);
 *   return left !== undefined && right !== undefined && bundleDigest(left) === bundleDigest(right);
 * }
 * ```
 */
export function bundleDigest(bundle: ContextBundle): string {
  const rows: Record<string, JsonValue> = {
    thread: columns(threads, bundle.thread, ["updatedAt"]),
    context: columns(contexts, bundle.context, ["importing"]),
    journal: sortEvents(bundle.journal).map(({ tenant: _tenant, ...event }) => event) as unknown as JsonValue,
  };
  for (const member of bundleMembers) {
    const { table, key } = members[member];
    rows[member] = sorted(bundle, member, key).map((row) => columns(table as Table<object>, row));
  }
  return digest(rows);
}

/**
 * A bundle whose rows are of this build's version, whichever older one made them.
 *
 * @throws HebraError `SCHEMA_TOO_NEW` for rows of a newer one
 */
export function currentBundle(bundle: ContextBundle): ContextBundle {
  const row = <R extends object>(table: Table<object>, one: R): R =>
    (one as { v?: unknown }).v === ROW_VERSION ? one : (upcast(table.name, { ...one } as PlainRow) as R);
  const current: Record<string, unknown> = {
    ...bundle,
    thread: row(threads, bundle.thread),
    context: row(contexts, bundle.context),
  };
  for (const member of bundleMembers) {
    const rows = bundle[member];
    if (rows !== undefined) current[member] = (rows as object[]).map((one) => row(members[member].table, one));
  }
  return current as unknown as ContextBundle;
}

/**
 * The named columns of one row; what is missing counts as null. Of later columns a null is left out, as builds before
 * them do not know any.
 */
function columns(table: Table<object>, row: object, without: readonly string[] = []): JsonValue {
  const named: Record<string, JsonValue> = {};
  for (const column of table.columns) {
    if (column.hidden || column.field === "tenant" || without.includes(column.field)) continue;
    const value = ((row as Record<string, unknown>)[column.field] ?? null) as JsonValue;
    if (value !== null || column.since === 1) named[column.name] = value;
  }
  return named;
}

/**
 * A bundle whose lists are in one order, whichever store they come from: items and turns as they came about, the rest
 * by key.
 */
export function inOrder(bundle: ContextBundle): ContextBundle {
  const ordered: Record<string, object[]> = {};
  for (const member of bundleMembers) ordered[member] = sorted(bundle, member, members[member].key);
  const byTime = <T extends { createdAt: number }>(rows: T[]): T[] => rows.sort((a, b) => a.createdAt - b.createdAt);
  byTime(ordered["executions"] as ContextBundle["executions"]);
  (ordered["items"] as ContextBundle["items"]).sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity));
  return { ...bundle, ...ordered };
}

function sorted(bundle: ContextBundle, member: BundleMember, key: readonly string[]): object[] {
  const rows = [...((bundle[member] ?? []) as readonly object[])];
  const name = new Map(
    rows.map((row) => [row, JSON.stringify(key.map((field) => (row as Record<string, unknown>)[field]))]),
  );
  return rows.sort((a, b) => (name.get(a)! < name.get(b)! ? -1 : name.get(a)! > name.get(b)! ? 1 : 0));
}

/** What tells a row of a bundle apart from the others of its table. */
export function rowNames(bundle: ContextBundle, member: BundleMember): Set<string> {
  const { key } = members[member];
  return new Set(
    ((bundle[member] ?? []) as readonly object[]).map((row) =>
      JSON.stringify(key.map((field) => (row as Record<string, unknown>)[field])),
    ),
  );
}

/** Events in the order of their sequence. */
export function sortEvents(events: readonly DurableEvent[] | undefined): DurableEvent[] {
  return [...(events ?? [])].sort((a, b) => a.seq - b.seq);
}

/** Rows by table, with the thread and the context themselves. */
export function bundleCounts(bundle: ContextBundle): Record<string, number> {
  const counts: Record<string, number> = { threads: 1, contexts: 1 };
  for (const member of bundleMembers) counts[member] = bundle[member]?.length ?? 0;
  counts["journal"] = bundle.journal?.length ?? 0;
  return counts;
}

/** Events in rows of the journal, as many to a row as keep it small. */
export function journalRows(
  contextId: string,
  events: readonly DurableEvent[],
): { v: number; contextId: string; lastSeq: number; events: DurableEvent[] }[] {
  const rows = [];
  for (let i = 0; i < events.length; i += 50) {
    const batch = events.slice(i, i + 50);
    rows.push({ v: ROW_VERSION, contextId, lastSeq: batch.at(-1)!.seq, events: batch });
  }
  return rows;
}
