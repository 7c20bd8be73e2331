import type { OutboxRow } from "../rows.ts";
import type { SweepCandidate } from "../store.ts";
import { decode } from "../codec.ts";
import { contexts, executions, outbox, threads, type StoredExecution } from "../tables.ts";
import type { Value } from "../table.ts";
import { find, findOne, type Find, type FindOptions, type Verb } from "./op.ts";

/** Rows of any tenant, each with its tenant. */
function* across<R extends object>(table: Find["table"], access: string, options: FindOptions): Verb<{ tenant: string; row: R }[]> {
  const [found] = yield { op: "read", finds: [{ table, access, values: [], ...options }] };
  return found!.map((values: readonly Value[]) => ({ tenant: values[0] as string, row: decode(table, values) as R }));
}

export function* sweep(options: { before: number; limit?: number }): Verb<SweepCandidate[]> {
  const limit = options.limit ?? 100;
  const queued = yield* across<StoredExecution>(executions, "queued", { limit });
  const running = yield* across<StoredExecution>(executions, "running", { limit, range: { is: "<", values: [options.before] } });
  const all = [...queued, ...running].sort((a, b) => a.row.updatedAt - b.row.updatedAt).slice(0, limit);
  const candidates: SweepCandidate[] = [];
  for (const { tenant, row } of all) {
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
  return yield* across<OutboxRow>(outbox, "late", { limit: options.limit ?? 100, range: { is: "<", values: [options.before] } });
}

/** The contexts after one, by tenant and id; of one tenant, or of all. */
export function* contextIds(options: { tenant: string | undefined; after: { tenant: string; contextId: string } | undefined; limit: number }): Verb<{ tenant: string; contextId: string }[]> {
  const { tenant, after, limit } = options;
  if (tenant !== undefined) {
    const beyond = after === undefined || after.tenant < tenant ? undefined : after.tenant > tenant ? null : after.contextId;
    if (beyond === null) return [];
    const rows = yield* find(contexts, "ofTenant", [tenant], { limit, ...(beyond !== undefined && { range: { is: ">", values: [beyond] } }) });
    return rows.map((row) => ({ tenant, contextId: row.id }));
  }
  const rows = yield* across<{ id: string }>(contexts, "all", { limit, ...(after !== undefined && { range: { is: ">", values: [after.tenant, after.contextId] } }) });
  return rows.map(({ tenant: owner, row }) => ({ tenant: owner, contextId: row.id }));
}

export function* tenants(): Verb<string[]> {
  const found: string[] = [];
  for (;;) {
    const last = found.at(-1);
    const rows = yield* across<{ id: string }>(contexts, "all", { limit: 1, ...(last !== undefined && { range: { is: ">", values: [last] } }) });
    if (rows[0] === undefined) return found;
    found.push(rows[0].tenant);
  }
}
