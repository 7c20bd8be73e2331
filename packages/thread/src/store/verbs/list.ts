import { HebraError } from "@hebra/core";
import type { ListedThread, ListOptions, Page } from "../store.ts";
import type { ThreadRow } from "../rows.ts";
import type { ContextStatus } from "../states.ts";
import { contexts, executions, items, threads } from "../tables.ts";
import { checkLimit } from "./limit.ts";
import { find, findOne, finding, readAll, type Verb } from "./op.ts";

/** How many threads one call looks at: a filter that hardly anything passes must not read a whole tenant at once. */
const LOOKED_AT = 2_000;
const BATCH = 100;

/** The newest first; those that a filter leaves out take nobody's place. */
export function* list(tenant: string, options: ListOptions): Verb<Page<ListedThread>> {
  const limit = checkLimit(options.limit ?? 50);
  const filtered = options.status !== undefined || options.definition !== undefined || options.q !== undefined;
  const rows: ListedThread[] = [];
  let cursor = options.cursor;
  for (let looked = 0; looked < LOOKED_AT;) {
    const batch = filtered ? BATCH : limit - rows.length;
    const found = yield* find(threads, "recent", [tenant], {
      descending: true,
      limit: batch + 1,
      ...(cursor !== undefined && { range: { is: "<" as const, values: readCursor(cursor) } }),
      ...(options.keyPrefix !== undefined && { prefix: { field: "key", value: options.keyPrefix } }),
    });
    const page = found.slice(0, batch);
    for (const [i, thread] of page.entries()) {
      looked += 1;
      cursor = cursorOf(thread);
      const listed = yield* passing(tenant, thread, options);
      if (listed !== undefined) rows.push(listed);
      const last = i === page.length - 1 && found.length <= batch;
      if (rows.length === limit) return { rows, cursor: last ? undefined : cursor };
    }
    if (found.length <= batch) return { rows, cursor: undefined };
  }
  return { rows, cursor };
}

/** A thread with its status, or nothing when a filter leaves it out. */
function* passing(tenant: string, thread: ThreadRow, options: ListOptions): Verb<ListedThread | undefined> {
  const { status: wanted, definition, q } = options;
  const text = q?.toLowerCase();
  if (text !== undefined && ![thread.key, thread.name ?? ""].some((one) => one.toLowerCase().includes(text)))
    return undefined;
  const context = yield* findOne(contexts, "key", [tenant, thread.mainContextId]);
  const status: ContextStatus = context?.status ?? "open";
  if (wanted !== undefined && status !== wanted) return undefined;
  if (definition !== undefined && (yield* definitionOf(tenant, thread.mainContextId)) !== definition) return undefined;
  return { ...thread, status };
}

/** The definition of the newest turn: of the last item that has a place, else of the first that waits. */
function* definitionOf(tenant: string, contextId: string): Verb<string | undefined> {
  const newest = finding(items, "inOrder", [tenant, contextId], { descending: true, limit: 1 });
  const [[ran], [waits]] = yield* readAll(
    finding(executions, "byId", [tenant, { of: newest, field: "executionId" }]),
    finding(executions, "queue", [tenant, contextId], { limit: 1 }),
  );
  return (ran ?? waits)?.definition;
}

const cursorOf = ({ updatedAt, id }: ThreadRow) => `${updatedAt}:${id}`;

/** A cursor is the `updatedAt` and the id of the last row of its page. */
export function readCursor(cursor: string): [number, string] {
  const colon = cursor.indexOf(":");
  const updatedAt = Number(cursor.slice(0, colon));
  if (colon < 1 || !Number.isSafeInteger(updatedAt))
    throw new HebraError("INVALID_OPTIONS", "The cursor is none that `list` gave.");
  return [updatedAt, cursor.slice(colon + 1)];
}
