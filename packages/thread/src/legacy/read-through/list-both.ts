import { HebraError, type JsonObject } from "@hebra/core";
import type { ListedThread, ListOptions, Page, ThreadStore } from "../../store/store.ts";
import { checkLimit } from "../../store/verbs/limit.ts";
import type { LegacyReader } from "./reader.ts";

const DEFAULT_LIMIT = 50;

/**
 * Lists the threads of a store, newest change first, then those that only the old engine has, in its reader's order.
 * The two are not merged: that would read every old row for the first page.
 *
 * @throws HebraError `INVALID_OPTIONS` for a limit below 1
 */
export async function listBoth(
  store: ThreadStore,
  legacy: LegacyReader,
  tenant: string,
  options: ListOptions,
  toThread: (context: JsonObject) => Promise<ListedThread | undefined>,
): Promise<Page<ListedThread>> {
  const { keyPrefix } = options;
  const limit = checkLimit(options.limit ?? DEFAULT_LIMIT);
  const legacyOnly = keyPrefix === undefined ? {} : { keyPrefix };
  let { phase, cursor } = readCursor(options.cursor);
  const rows: ListedThread[] = [];
  while (phase === "new" && rows.length < limit) {
    const given: ListOptions = { ...options, limit: limit - rows.length };
    if (cursor === undefined) delete given.cursor;
    else given.cursor = cursor;
    const page = await store.list(tenant, given);
    rows.push(...page.rows);
    cursor = page.cursor;
    if (cursor === undefined) phase = legacy.list === undefined ? "end" : "old";
  }
  while (phase === "old" && rows.length < limit) {
    const page = await legacy.list!(tenant, {
      limit: limit - rows.length,
      ...legacyOnly,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const context of page.contexts) {
      const thread = await toThread(context);
      if (thread === undefined || !passes(thread, options)) continue;
      if ((await store.load(tenant, { contextId: thread.mainContextId })) === undefined) rows.push(thread);
    }
    cursor = page.cursor;
    if (cursor === undefined) phase = "end";
  }
  return { rows, cursor: phase === "end" ? undefined : `${phase} ${cursor ?? ""}` };
}

/** The old engine's rows do not say here of which definition a turn was, so that filter leaves them out. */
function passes(thread: ListedThread, { status, definition, q }: ListOptions): boolean {
  const text = q?.toLowerCase() ?? "";
  return (
    definition === undefined &&
    (status === undefined || thread.status === status) &&
    [thread.key, thread.name ?? ""].some((one) => one.toLowerCase().includes(text))
  );
}

function readCursor(cursor: string | undefined): { phase: "new" | "old" | "end"; cursor: string | undefined } {
  if (cursor === undefined) return { phase: "new", cursor: undefined };
  const [phase, ...rest] = cursor.split(" ");
  if (phase !== "new" && phase !== "old")
    throw new HebraError("INVALID_OPTIONS", "The cursor is none that `list` gave.");
  const inner = rest.join(" ");
  return { phase, cursor: inner === "" ? undefined : inner };
}
