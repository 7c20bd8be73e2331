import { executionStates, isTerminal, type ExecutionStatus } from "../states.ts";
import type { Value } from "../table.ts";
import { contexts, executions, outbox, threads } from "../tables.ts";
import type { Rows } from "../verbs/op.ts";
import type { PlainFind } from "../verbs/resolve.ts";
import type { RedisCommands } from "./commands.ts";
import { placeOf, threadKeys, type Keys } from "./layout.ts";
import { noteRevision, sorted, type GlobalFind, type Reader } from "./reader.ts";
import { SEPARATOR, type Routes } from "./routes.ts";

/** How many entries of a list are looked at in one go. */
const BATCH = 100;
/** How long an entry that leads nowhere is kept: its row may be on its way. In milliseconds. */
const GRACE_MS = 3_600_000;

/** Whether a row comes after the values of a range, field by field of the order. */
function isBeyond(row: readonly Value[], order: readonly string[], range: PlainFind["range"]): boolean {
  for (const [i, value] of (range?.values ?? []).entries()) {
    const own = row[placeOf(executions, order[i]!)]!;
    if (own !== value) return own! > value!;
  }
  return range === undefined;
}

/** The finds across threads. Lists are only hints, written before their rows: each entry is checked against its row. */
export function createGlobalFind(
  commands: RedisCommands,
  keys: Keys,
  routes: Routes,
  reader: () => Reader,
): GlobalFind {
  const row = (
    table: typeof threads | typeof contexts | typeof executions,
    tenant: string,
    threadId: string,
    key: readonly Value[],
  ) => reader().row(table, tenant, threadId, key);

  const byKey: GlobalFind = async ({ values }, session) => {
    const [tenant, key] = values as [string, string];
    const threadId = await routes.thread(tenant, "key", key);
    if (threadId === undefined) return [];
    const tag = keys.tag(tenant, threadId);
    session.tag = tag;
    noteRevision(session, tag, reader());
    const found = await row(threads, tenant, threadId, [threadId]);
    return found === undefined || found[placeOf(threads, "key")] !== key ? [] : [found];
  };

  const recent = async ({ values, range, prefix, limit = Infinity }: PlainFind): Promise<Rows> => {
    const tenant = values[0] as string;
    const list = keys.global("recent", tenant);
    const [before, beforeId] = (range?.values ?? [Infinity, ""]) as [number, string];
    const rows: (readonly Value[])[] = [];
    for (let offset = 0; rows.length < limit; offset += BATCH) {
      const ids = (await commands.call(
        "ZREVRANGEBYSCORE",
        list,
        before === Infinity ? "+inf" : before,
        "-inf",
        "LIMIT",
        offset,
        BATCH,
      )) as string[];
      if (ids.length === 0) break;
      const found = await Promise.all(ids.map((id) => row(threads, tenant, id, [id])));
      for (const one of found) {
        if (one === undefined) continue;
        const at = one[placeOf(threads, "updatedAt")] as number;
        if (
          range !== undefined &&
          (at > before || (at === before && (one[placeOf(threads, "id")] as string) >= beforeId))
        )
          continue;
        if (prefix === undefined || (one[placeOf(threads, prefix.field)] as string).startsWith(prefix.value))
          rows.push(one);
      }
    }
    return rows;
  };

  const listed = async ({ access, values, range, limit = Infinity }: PlainFind): Promise<Rows> => {
    const tenant = access === "ofTenant" ? (values[0] as string) : undefined;
    const after = tenant === undefined ? range?.values : range === undefined ? undefined : [tenant, ...range.values];
    // The separator sorts before everything that an id can hold, and U+0001 right after it.
    let low =
      after !== undefined ? `(${after.join(SEPARATOR)}\u0001` : tenant !== undefined ? `[${tenant}${SEPARATOR}` : "-";
    const high = tenant === undefined ? "+" : `(${tenant}\u0001`;
    const rows: (readonly Value[])[] = [];
    while (rows.length < limit) {
      const members = (await commands.call(
        "ZRANGEBYLEX",
        keys.global("contexts"),
        low,
        high,
        "LIMIT",
        0,
        BATCH,
      )) as string[];
      if (members.length === 0) break;
      const found = await Promise.all(
        members.map((member) => {
          const [owner, contextId, threadId] = member.split(SEPARATOR) as [string, string, string];
          return row(contexts, owner, threadId, [contextId]);
        }),
      );
      rows.push(...found.filter((one) => one !== undefined));
      low = `(${members.at(-1)!}`;
    }
    return rows;
  };

  /** The contexts of a thread. The list of all names their threads, so that only its own rows are read. */
  const ofThread: GlobalFind = async ({ values }, session) => {
    const [tenant, threadId] = values as [string, string];
    const tag = keys.tag(tenant, threadId);
    session.tag = tag;
    noteRevision(session, tag, reader());
    const rows: (readonly Value[])[] = [];
    for (let low = `[${tenant}${SEPARATOR}`; ;) {
      const page = ["LIMIT", 0, 10 * BATCH] as const;
      const members = (await commands.call(
        "ZRANGEBYLEX",
        keys.global("contexts"),
        low,
        `(${tenant}\u0001`,
        ...page,
      )) as string[];
      for (const member of members) {
        const [, contextId, owner] = member.split(SEPARATOR) as [string, string, string];
        const found = owner === threadId ? await row(contexts, tenant, threadId, [contextId]) : undefined;
        if (found !== undefined) rows.push(found);
      }
      if (members.length < 10 * BATCH) return rows;
      low = `(${members.at(-1)!}`;
    }
  };

  /** Rows of a list of executions, in the access's own order; the list's is only close to it. */
  const unfinished = async ({ access, range, limit = Infinity }: PlainFind): Promise<Rows> => {
    const list = keys.global(access === "due" ? "due" : "unfinished");
    const { order } = executions.accesses[access]!;
    const status = ({ due: "waiting", queuedSince: "queued", runningSince: "running" } as const)[access];
    const rows: (readonly Value[])[] = [];
    for (let offset = 0; ;) {
      const members = (await commands.call("ZRANGEBYSCORE", list, "-inf", "+inf", "LIMIT", offset, BATCH)) as string[];
      if (members.length === 0) break;
      const over: string[] = [];
      const found = await Promise.all(
        members.map((member) => {
          const [tenant, threadId, contextId, id] = member.split(SEPARATOR) as [string, string, string, string];
          return row(executions, tenant, threadId, [contextId, id]);
        }),
      );
      for (const [i, one] of found.entries()) {
        if (one === undefined) continue;
        const now = one[placeOf(executions, "status")] as ExecutionStatus;
        if (isTerminal(executionStates, now)) over.push(members[i]!);
        else if (now === status && one[placeOf(executions, order[0]!)] !== null && isBeyond(one, order, range))
          rows.push(one);
      }
      // What has ended never comes back.
      if (over.length > 0) await commands.call("ZREM", list, ...over);
      offset += members.length - over.length;
    }
    return sorted(executions, executions.accesses[access]!, rows, false).slice(0, limit);
  };

  const late = async ({ range, limit = Infinity }: PlainFind): Promise<Rows> => {
    const before = (range?.values[0] ?? Infinity) as number;
    const list = keys.global("outbox");
    const rows: (readonly Value[])[] = [];
    const { pending } = outbox.accesses;
    for (let offset = 0; rows.length < limit;) {
      const reply = (await commands.call(
        "ZRANGEBYSCORE",
        list,
        "-inf",
        before === Infinity ? "+inf" : `(${before}`,
        "WITHSCORES",
        "LIMIT",
        offset,
        BATCH,
      )) as (string | number | [string, number])[];
      // One list of members and scores, or, from RESP3 on, a list of pairs.
      const members = reply.flat() as (string | number)[];
      if (members.length === 0) break;
      const settled: string[] = [];
      for (let i = 0; i < members.length; i += 2) {
        const [tenant, threadId, contextId] = String(members[i]).split(SEPARATOR) as [string, string, string];
        const name = threadKeys(keys, keys.tag(tenant, threadId)).index(outbox, pending!, [contextId]);
        const waiting = (await commands.call("ZRANGE", name, 0, -1)) as string[];
        if (waiting.length === 0 && Number(members[i + 1]) < before - GRACE_MS) settled.push(String(members[i]));
        const found = await Promise.all(
          waiting.map((member) => reader().row(outbox, tenant, threadId, JSON.parse(member) as Value[])),
        );
        rows.push(
          ...found
            .filter((one) => one !== undefined && (one[placeOf(outbox, "createdAt")] as number) < before)
            .map((one) => one!),
        );
      }
      if (settled.length > 0) await commands.call("ZREM", list, ...settled);
      offset += members.length / 2 - settled.length;
    }
    return sorted(outbox, outbox.accesses["late"]!, rows, false);
  };

  return async (find, session) => {
    if (find.table === threads) return find.access === "byKey" ? byKey(find, session) : recent(find);
    if (find.table === contexts) return find.access === "ofThread" ? ofThread(find, session) : listed(find);
    return find.table === executions ? unfinished(find) : late(find);
  };
}
