import type { Access, Table, Value } from "../table.ts";
import { contexts, leases, threads } from "../tables.ts";
import type { Find, Read, Ref, Rows } from "../verbs/op.ts";
import type { PlainFind } from "../verbs/resolve.ts";
import type { RedisCommands } from "./commands.ts";
import { fromFields, isWide, placeOf, servedBy, threadKeys, unpack, type Keys, type ThreadKeys } from "./layout.ts";
import type { RouteKind, Routes } from "./routes.ts";

/** Threads that were read, and their revisions before the first read. */
export type Revisions = Map<string, Promise<string>>;

/** What the reading of one verb has come to. */
export interface Session {
  revisions: Revisions;
  /** The thread that was read last: where ids lead that no route knows. */
  tag: string | undefined;
}

export interface Reader {
  /** The rows of every find. Several commands: whether they saw one moment, the revisions tell. */
  read(read: Read, session: Session): Promise<Rows[]>;
  /** One row of a thread. */
  row(
    table: Table<object>,
    tenant: string,
    threadId: string,
    key: readonly Value[],
  ): Promise<readonly Value[] | undefined>;
  revision(tag: string): Promise<string>;
}

/**
 * Notes a thread's revision, once, before its first read. A read beside it may fail first, and then nobody awaits the
 * revision: its own failure must not count as unhandled.
 */
export function noteRevision(session: Session, tag: string, reader: Pick<Reader, "revision">): void {
  if (session.revisions.has(tag)) return;
  const revision = reader.revision(tag);
  revision.catch(() => undefined);
  session.revisions.set(tag, revision);
}

/** How the tables' finds across threads are served. */
export type GlobalFind = (find: PlainFind, session: Session) => Promise<Rows>;

const isRef = (value: unknown): value is Ref => typeof value === "object" && value !== null && "of" in value;

export function createReader(commands: RedisCommands, keys: Keys, routes: Routes, globalFind: GlobalFind): Reader {
  const revision = async (tag: string) =>
    ((await commands.call("GET", threadKeys(keys, tag).revision)) as string | null) ?? "0";

  /** By what field an access begins after the tenant, as a kind of route. */
  const kindOf = (table: Table<object>, access: Access): RouteKind | undefined => {
    const field = access.by[1];
    if (field === "contextId") return "context";
    if (field === "executionId") return "execution";
    if (field !== "id") return undefined;
    if (table === contexts) return "context";
    return table.name === "thread_approvals" ? "approval" : "execution";
  };

  const tagOf = async (find: PlainFind, access: Access, session: Session): Promise<string | undefined> => {
    const [tenant, id] = find.values as [string, string | undefined];
    if (find.table === threads || find.table === leases) return keys.tag(tenant, id!);
    const kind = kindOf(find.table, access);
    if (id === undefined || kind === undefined) return session.tag;
    const threadId = await routes.thread(tenant, kind, id);
    return threadId === undefined ? undefined : keys.tag(tenant, threadId);
  };

  const rowsOf = async (
    table: Table<object>,
    tenant: string,
    own: ThreadKeys,
    found: readonly (readonly Value[])[],
  ): Promise<Rows> => {
    if (found.length === 0) return [];
    if (isWide(table)) {
      const names = table.columns.map((column) => column.name);
      const rows = await Promise.all(
        found.map(async (key) =>
          fromFields(table, tenant, (await commands.call("HMGET", own.row(table, key), ...names)) as (string | null)[]),
        ),
      );
      return rows.filter((row) => row !== undefined);
    }
    const byPartition = new Map<string, Value[]>();
    for (const key of found) {
      const name = own.packed(table, key.slice(0, -1));
      byPartition.set(name, [...(byPartition.get(name) ?? []), key.at(-1)!]);
    }
    const lists = await Promise.all(
      [...byPartition].map(
        async ([name, fields]) => (await commands.call("HMGET", name, ...(fields as string[]))) as (string | null)[],
      ),
    );
    return lists
      .flat()
      .filter((packed) => packed !== null)
      .map((packed) => unpack(table, tenant, packed));
  };

  const partition = async (
    table: Table<object>,
    tenant: string,
    own: ThreadKeys,
    values: readonly Value[],
  ): Promise<Rows> => {
    if (!isWide(table))
      return ((await commands.call("HVALS", own.packed(table, values))) as string[]).map((packed) =>
        unpack(table, tenant, packed),
      );
    // RESP3 has sets of its own, which a client may give as such.
    const members = [...((await commands.call("SMEMBERS", own.list(table, values))) as Iterable<string>)];
    return rowsOf(
      table,
      tenant,
      own,
      members.map((member) => [...values, member]),
    );
  };

  const index = async (
    find: PlainFind,
    access: Access,
    tenant: string,
    own: ThreadKeys,
    values: readonly Value[],
  ): Promise<Rows> => {
    const { range, descending, limit } = find;
    const name = own.index(find.table, access, values);
    // Only where the score alone is the order may Redis cut the list.
    const cut = limit !== undefined && access.order.length === 1 ? ["LIMIT", 0, limit] : [];
    const bound = range === undefined ? undefined : `${range.is.endsWith("=") ? "" : "("}${range.values[0]}`;
    const low = range?.is === ">" ? bound! : "-inf";
    // A range says nothing of rows without a value, whose score is infinite.
    const high = range === undefined ? "+inf" : range.is === ">" ? "(+inf" : bound!;
    const members = (await (descending === true
      ? commands.call("ZREVRANGEBYSCORE", name, high, low, ...cut)
      : commands.call("ZRANGEBYSCORE", name, low, high, ...cut))) as string[];
    const rows = [
      ...(await rowsOf(
        find.table,
        tenant,
        own,
        members.map((member) => JSON.parse(member) as Value[]),
      )),
    ];
    return sorted(find.table, access, rows, descending === true);
  };

  const serve = async (find: PlainFind, session: Session): Promise<Rows> => {
    const access = find.table.accesses[find.access]!;
    const served = servedBy(find.table, access);
    if (served === "global") return globalFind(find, session);
    const tag = await tagOf(find, access, session);
    if (tag === undefined) return [];
    session.tag = tag;
    noteRevision(session, tag, { revision });
    const own = threadKeys(keys, tag);
    const [tenant, ...values] = find.values as [string, ...Value[]];
    const each = find.anyOf === undefined ? [values] : [...new Set(find.anyOf)].map((value) => [...values, value]);
    if (served === "key") return rowsOf(find.table, tenant, own, each);
    if (served === "directory") {
      const partition = (await commands.call("HGET", own.directory(find.table, access), String(values[0]))) as
        | string
        | null;
      return partition === null
        ? []
        : rowsOf(find.table, tenant, own, [[...(JSON.parse(partition) as Value[]), values[0]!]]);
    }
    const lists = await Promise.all(
      each.map((one) =>
        served === "partition" ? partition(find.table, tenant, own, one) : index(find, access, tenant, own, one),
      ),
    );
    return lists.flat();
  };

  return {
    revision,
    async row(table, tenant, threadId, key) {
      return (await rowsOf(table, tenant, threadKeys(keys, keys.tag(tenant, threadId)), [key]))[0];
    },
    read(read, session) {
      const done = new Map<Find, Promise<Rows>>();
      const run = (find: Find): Promise<Rows> => {
        let rows = done.get(find);
        if (rows === undefined) done.set(find, (rows = resolve(find)));
        return rows;
      };
      const fields = async ({ of, field }: Ref) => (await run(of)).map((row) => row[placeOf(of.table, field)]!);
      const resolve = async (find: Find): Promise<Rows> => {
        const values = await Promise.all(
          find.values.map(async (value) => (isRef(value) ? ((await fields(value))[0] ?? null) : value)),
        );
        if (values.includes(null)) return [];
        const anyOf = isRef(find.anyOf) ? (await fields(find.anyOf)).filter((value) => value !== null) : find.anyOf;
        if (anyOf?.length === 0) return [];
        const rows = await serve({ ...find, values, ...(anyOf !== undefined && { anyOf }) } as PlainFind, session);
        return find.limit === undefined ? rows : rows.slice(0, find.limit);
      };
      return Promise.all(read.finds.map(run));
    },
  };
}

/** Rows in the order of an access. */
export function sorted(table: Table<object>, access: Access, rows: (readonly Value[])[], descending: boolean): Rows {
  const places = access.order.map((field) => placeOf(table, field));
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => {
    for (const place of places) {
      const [left, right] = [a[place]!, b[place]!];
      if (left !== right) return sign * (left === null ? 1 : right === null ? -1 : left < right ? -1 : 1);
    }
    return 0;
  });
}
