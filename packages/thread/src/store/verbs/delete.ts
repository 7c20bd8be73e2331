import type { Deleted, ThreadRef } from "../store.ts";
import type { Table } from "../table.ts";
import {
  approvals,
  calls,
  contexts,
  executions,
  items,
  journal,
  outbox,
  parts,
  steps,
  threads,
  triggers,
  type StoredContext,
} from "../tables.ts";
import { find, removing, write, type Drop, type Verb } from "./op.ts";
import { addressed } from "./load.ts";

/** Everything of a thread, its forks included: read first, so that the receipt says exactly what goes. */
export function* deleteThread(tenant: string, ref: ThreadRef): Verb<Deleted | undefined> {
  const thread = yield* addressed(tenant, ref);
  if (thread === undefined) return undefined;
  const own = yield* find(contexts, "ofThread", [tenant, thread.id], { lock: true });
  const drops: Drop[] = [];
  for (const context of own) drops.push(...(yield* rowsOf(tenant, context)));
  drops.push(...removing(contexts, tenant, own), ...removing(threads, tenant, [thread]));
  const counts: Record<string, number> = {};
  for (const { table, rows } of drops) counts[memberOf(table)] = (counts[memberOf(table)] ?? 0) + rows.length;
  // Whoever runs a turn of it hears at once that there is nothing left to run.
  const { id: contextId } = own.find(({ status }) => status === "running") ?? own[0] ?? { id: thread.mainContextId };
  yield* write({ drops: merged(drops), notify: { tenant, contextId } });
  return { threadId: thread.id, key: thread.key, contextIds: own.map(({ id }) => id), counts };
}

function* rowsOf(tenant: string, { id }: StoredContext): Verb<Drop[]> {
  const ownItems = yield* find(items, "ofContext", [tenant, id]);
  const turns = yield* find(executions, "ofContext", [tenant, id]);
  const itemIds = ownItems.map((item) => item.id);
  const turnIds = turns.map((turn) => turn.id);
  return [
    ...removing(items, tenant, ownItems),
    ...removing(executions, tenant, turns),
    ...removing(steps, tenant, yield* find(steps, "ofExecution", [tenant], { anyOf: turnIds })),
    ...removing(parts, tenant, yield* find(parts, "ofItem", [tenant], { anyOf: itemIds })),
    ...removing(calls, tenant, yield* find(calls, "ofExecution", [tenant], { anyOf: turnIds })),
    ...removing(approvals, tenant, yield* find(approvals, "ofExecution", [tenant], { anyOf: turnIds })),
    ...removing(outbox, tenant, yield* find(outbox, "ofContext", [tenant, id])),
    ...removing(triggers, tenant, yield* find(triggers, "ofContext", [tenant, id])),
    ...removing(journal, tenant, yield* find(journal, "after", [tenant, id])),
  ];
}

/** One list a table: not every database can name a table twice in one statement. */
function merged(drops: readonly Drop[]): Drop[] {
  const byTable = new Map<Table<object>, Drop["rows"]>();
  for (const { table, rows } of drops) byTable.set(table, [...(byTable.get(table) ?? []), ...rows]);
  return [...byTable].map(([table, rows]) => ({ table, rows }));
}

/** A table's name in a receipt, as in a bundle: `items`, `calls`. */
const memberOf = (table: Table<object>): string =>
  table === (calls as Table<object>) ? "calls" : table.name.replace("thread_", "");
