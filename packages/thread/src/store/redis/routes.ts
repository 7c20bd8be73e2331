import { HebraError } from "@hebra/core";
import type { Table, Value } from "../table.ts";
import { approvals, contexts, executions, outbox, threads } from "../tables.ts";
import type { Drop, Put, Update, Write } from "../verbs/op.ts";
import type { RedisCommands } from "./commands.ts";
import { placeOf, type Keys } from "./layout.ts";

/** What leads from an id to its thread. */
export type RouteKind = "key" | "context" | "execution" | "approval";

/** Separates the parts of members of global indexes: no id can hold it. */
export const SEPARATOR = "\u0000";

/** How many routes are remembered. They never change, so this is only about memory. */
const REMEMBERED = 10_000;

/**
 * What lies outside of the threads' own keys: from ids to threads, and lists across threads. It is written before the
 * rows
 * that it leads to, so that no row can be without it; what leads nowhere is skipped by readers.
 */
export interface Routes {
  thread(tenant: string, kind: RouteKind, id: string): Promise<string | undefined>;
  /** Writes what the rows of a write need. @throws HebraError `VERSION_CONFLICT` when a key leads to another thread */
  prepare(write: Write): Promise<void>;
  /** Removes what leads to rows that are gone. What is left of it after a failure leads nowhere, and is skipped. */
  forget(drops: readonly Drop[], threadId: string): Promise<void>;
}

const fieldOf = (table: Table<object>, row: readonly Value[], field: string): string =>
  String(row[placeOf(table, field)]);

export function createRoutes(
  commands: RedisCommands,
  keys: Keys,
  threadExists: (tenant: string, threadId: string, key: string) => Promise<boolean>,
): Routes {
  const known = new Map<string, string>();
  const remember = (route: string, threadId: string) => {
    if (known.size >= REMEMBERED) known.delete(known.keys().next().value!);
    known.set(route, threadId);
  };

  /** A key belongs to the first thread that took it, unless that thread never came to be. */
  const claimKey = async (tenant: string, key: string, threadId: string) => {
    const route = keys.global("route", "key", tenant, key);
    if ((await commands.call("SET", route, threadId, "NX")) !== null) return;
    const owner = (await commands.call("GET", route)) as string | null;
    if (owner === threadId) return;
    if (owner !== null && (await threadExists(tenant, owner, key))) {
      throw new HebraError("VERSION_CONFLICT", `The key ${key} belongs to another thread. Load it again and repeat.`, {
        details: { key, threadId: owner },
      });
    }
    await commands.call("SET", route, threadId);
  };

  const route = async (tenant: string, kind: RouteKind, id: string, threadId: string) => {
    const name = keys.global("route", kind, tenant, id);
    await commands.call("SET", name, threadId);
    remember(name, threadId);
  };

  /**
   * Never later than what the row says, whichever of two writes lands: an entry that is early is looked at for nothing,
   * one that is late is missed.
   */
  const awaken = (member: string, wakeAt: Value) =>
    commands.call("ZADD", keys.global("due"), "LT", Number(wakeAt), member);

  const prepareRow = async (put: Put, row: readonly Value[], threadId: string | undefined): Promise<unknown> => {
    const table = put.table;
    const tenant = row[0] as string;
    const field = (name: string) => fieldOf(table, row, name);
    if (table === threads) {
      return Promise.all([
        claimKey(tenant, field("key"), field("id")),
        commands.call("ZADD", keys.global("recent", tenant), "GT", field("updatedAt"), field("id")),
      ]);
    }
    if (table === contexts) {
      const listed = commands.call(
        "ZADD",
        keys.global("contexts"),
        0,
        [tenant, field("id"), field("threadId")].join(SEPARATOR),
      );
      return Promise.all([route(tenant, "context", field("id"), field("threadId")), listed]);
    }
    if (table === executions) {
      const unfinished = ["queued", "running", "waiting"].includes(field("status"));
      const member = [tenant, field("threadId"), field("contextId"), field("id")].join(SEPARATOR);
      const wakeAt = row[placeOf(executions, "wakeAt")] ?? null;
      const due = wakeAt !== null && field("status") === "waiting" ? awaken(member, wakeAt) : undefined;
      // A row that becomes always writes its route and is listed; one that is put again need not be, as it is listed
      // until it has ended.
      if (put.mode === "put" && known.get(keys.global("route", "execution", tenant, field("id"))) === field("threadId"))
        return due;
      const listed = unfinished
        ? commands.call("ZADD", keys.global("unfinished"), field("updatedAt"), member)
        : undefined;
      return Promise.all([due, listed, route(tenant, "execution", field("id"), field("threadId"))]);
    }
    if (table === approvals) return route(tenant, "approval", field("id"), threadId!);
    if (table === outbox && field("status") === "pending") {
      return commands.call(
        "ZADD",
        keys.global("outbox"),
        "LT",
        field("createdAt"),
        [tenant, threadId!, field("contextId")].join(SEPARATOR),
      );
    }
    return undefined;
  };

  const prepareUpdate = async (
    { table, key, fields }: Update,
    ownerOf: (tenant: string, contextId: string) => Promise<string | undefined>,
  ): Promise<void> => {
    const [tenant, ...names] = key as string[];
    if (table === threads && fields["updatedAt"] !== undefined)
      await commands.call("ZADD", keys.global("recent", tenant!), "GT", Number(fields["updatedAt"]), names[0]!);
    if (table !== executions || (fields["wakeAt"] ?? null) === null) return;
    const owner = await ownerOf(tenant!, names[0]!);
    if (owner !== undefined) await awaken([tenant, owner, ...names].join(SEPARATOR), fields["wakeAt"]!);
  };

  const forgetRow = async (table: Table<object>, row: readonly Value[], threadId: string): Promise<void> => {
    const tenant = row[0] as string;
    const field = (name: string) => fieldOf(table, row, name);
    const unroute = (kind: RouteKind, id: string) => {
      const name = keys.global("route", kind, tenant, id);
      known.delete(name);
      return commands.call("DEL", name);
    };
    const unlist = (list: string, ...parts: string[]) => commands.call("ZREM", list, parts.join(SEPARATOR));
    if (table === threads) {
      await unroute("key", field("key"));
      await unlist(keys.global("recent", tenant), field("id"));
    } else if (table === contexts) {
      await unlist(keys.global("contexts"), tenant, field("id"), threadId);
      await unlist(keys.global("outbox"), tenant, threadId, field("id"));
      await unroute("context", field("id"));
    } else if (table === executions) {
      for (const list of ["unfinished", "due"])
        await unlist(keys.global(list), tenant, threadId, field("contextId"), field("id"));
      await unroute("execution", field("id"));
    } else if (table === approvals) await unroute("approval", field("id"));
  };

  return {
    async forget(drops, threadId) {
      for (const { table, rows } of drops) for (const row of rows) await forgetRow(table, row, threadId);
    },
    async thread(tenant, kind, id) {
      const name = keys.global("route", kind, tenant, id);
      const remembered = known.get(name);
      if (remembered !== undefined) return remembered;
      const threadId = (await commands.call("GET", name)) as string | null;
      if (threadId === null) return undefined;
      // A key may lead to a thread that never came to be, and then to another.
      if (kind !== "key") remember(name, threadId);
      return threadId;
    },
    async prepare(write) {
      const rows = write.puts.filter(({ table }) =>
        [threads, contexts, executions, approvals, outbox].some((one) => table === one),
      );
      let threadId: string | undefined;
      for (const put of rows) if (put.table === threads) threadId = fieldOf(put.table, put.rows[0]!, "id");
      for (const put of rows)
        if (put.table === contexts || put.table === executions)
          threadId ??= fieldOf(put.table, put.rows[0]!, "threadId");
      if (rows.length > 0 && threadId === undefined && write.when !== undefined)
        threadId = await this.thread(write.when.key[0] as string, "context", write.when.key[1] as string);
      // Started together, so that no promise fails before something awaits it.
      await Promise.all([
        ...rows.flatMap((put) => put.rows.map((row) => prepareRow(put, row, threadId))),
        ...write.sets.map((one) => prepareUpdate(one, (tenant, id) => this.thread(tenant, "context", id))),
      ]);
    },
  };
}
