import type { OutboxRow } from "../rows.ts";
import type { SweepCandidate } from "../store.ts";
import { decode } from "../codec.ts";
import { contexts, executions, outbox, threads, type StoredExecution } from "../tables.ts";
import type { Value } from "../table.ts";
import { find, findOne, type Find, type FindOptions, type Verb } from "./op.ts";

/** Rows of any tenant, each with its tenant. */
function* across<R extends object>(
  table: Find["table"],
  access: string,
  options: FindOptions,
): Verb<{ tenant: string; row: R }[]> {
  const [found] = yield { op: "read", finds: [{ table, access, values: [], ...options }] };
  return found!.map((values: readonly Value[]) => ({ tenant: values[0] as string, row: decode(table, values) as R }));
}

/** How many executions are looked at in one go. */
const PAGE = 200;

type Listed = { tenant: string; row: StoredExecution };
type Given = { limit?: number; definitions?: readonly string[] };

/**
 * Turns that nothing stands in the way of: not closed, and for a queued one, no other turn before it in its context.
 */
function* isFree({ tenant, row }: Listed): Verb<boolean> {
  const context = yield* findOne(contexts, "key", [tenant, row.contextId]);
  return (
    context !== undefined &&
    context.status !== "closed" &&
    (row.status === "waiting" || context.currentExecutionId === null)
  );
}

/**
 * Executions in the order of a moment, up to a bound. Those that are passed over take nobody's place: otherwise what
 * waits
 * for weeks would hide what has just lost its worker.
 */
function* pick(
  access: "queuedSince" | "runningSince" | "due",
  upTo: number,
  { limit = 100, definitions }: Given,
): Verb<Listed[]> {
  const moment = access === "due" ? "wakeAt" : "createdAt";
  const found: Listed[] = [];
  let after: readonly Value[] | undefined;
  for (;;) {
    const page = yield* across<StoredExecution>(executions, access, {
      limit: PAGE,
      ...(after !== undefined && { range: { is: ">", values: after } }),
    });
    for (const one of page) {
      if (found.length >= limit || one.row[moment]! > upTo) return found;
      if (definitions !== undefined && !definitions.includes(one.row.definition)) continue;
      // Begun long ago, but touched since.
      if (access === "runningSince" && one.row.updatedAt > upTo) continue;
      if (access === "runningSince" || (yield* isFree(one))) found.push(one);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return found;
    after = [last.row[moment], last.tenant, last.row.id];
  }
}

export function* sweep(options: Given & { before: number }): Verb<SweepCandidate[]> {
  const queued = yield* pick("queuedSince", Infinity, options);
  const running = yield* pick("runningSince", options.before - 1, options);
  return yield* candidates(
    [...queued, ...running].sort((a, b) => a.row.updatedAt - b.row.updatedAt).slice(0, options.limit ?? 100),
  );
}

export function* due(options: Given & { now: number }): Verb<SweepCandidate[]> {
  return yield* candidates(yield* pick("due", options.now, options));
}

function* candidates(found: readonly Listed[]): Verb<SweepCandidate[]> {
  const candidates: SweepCandidate[] = [];
  for (const { tenant, row } of found) {
    const thread = yield* findOne(threads, "key", [tenant, row.threadId]);
    candidates.push({
      tenant,
      threadId: row.threadId,
      threadKey: thread?.key ?? row.threadId,
      contextId: row.contextId,
      executionId: row.id,
      status: row.status as SweepCandidate["status"],
      definition: row.definition,
      updatedAt: row.updatedAt,
    });
  }
  return candidates;
}

export function* lateOutbox(options: { before: number; limit?: number }): Verb<{ tenant: string; row: OutboxRow }[]> {
  return yield* across<OutboxRow>(outbox, "late", {
    limit: options.limit ?? 100,
    range: { is: "<", values: [options.before] },
  });
}

/** The contexts after one, by tenant and id; of one tenant, or of all. */
export function* contextIds(options: {
  tenant: string | undefined;
  after: { tenant: string; contextId: string } | undefined;
  limit: number;
}): Verb<{ tenant: string; contextId: string }[]> {
  const { tenant, after, limit } = options;
  if (tenant !== undefined) {
    const beyond =
      after === undefined || after.tenant < tenant ? undefined : after.tenant > tenant ? null : after.contextId;
    if (beyond === null) return [];
    const rows = yield* find(contexts, "ofTenant", [tenant], {
      limit,
      ...(beyond !== undefined && { range: { is: ">", values: [beyond] } }),
    });
    return rows.map((row) => ({ tenant, contextId: row.id }));
  }
  const rows = yield* across<{ id: string }>(contexts, "all", {
    limit,
    ...(after !== undefined && { range: { is: ">", values: [after.tenant, after.contextId] } }),
  });
  return rows.map(({ tenant: owner, row }) => ({ tenant: owner, contextId: row.id }));
}

export function* tenants(): Verb<string[]> {
  const found: string[] = [];
  for (;;) {
    const last = found.at(-1);
    const rows = yield* across<{ id: string }>(contexts, "all", {
      limit: 1,
      ...(last !== undefined && { range: { is: ">", values: [last] } }),
    });
    if (rows[0] === undefined) return found;
    found.push(rows[0].tenant);
  }
}
