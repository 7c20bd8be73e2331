import { HebraError } from "@hebra/core";
import { isUsableAfter } from "./errors.ts";
import { connectWithin, queryWithin } from "./limit.ts";
import type { PgClient, PgPool, Queryable, QueryConfig } from "./pg-client.ts";
import type { PostgresPort, PostgresSession, SqlValue, TransactionMode } from "./port.ts";

const config = (text: string, values: readonly SqlValue[], name: string | undefined): QueryConfig => ({
  text,
  values: [...values],
  rowMode: "array",
  ...(name !== undefined && { name }),
});

function session(on: Queryable, prepare: boolean): PostgresSession {
  return {
    query: async (text, values = [], name) => (await on.query(config(text, values, prepare ? name : undefined))).rows,
  };
}

/** How a transaction begins: with limits of its own, whatever the connection's are. In milliseconds. */
function beginning(mode: TransactionMode, busyMs: number): string {
  const isolation = mode === "snapshot" ? " ISOLATION LEVEL REPEATABLE READ READ ONLY" : "";
  // Whoever waits for this transaction gives up after `busyMs`: a process that stands still in it loses it before.
  const idleMs = mode === "schema" ? SCHEMA_MS : Math.ceil(busyMs / 2);
  return `BEGIN${isolation}; SET LOCAL lock_timeout = ${mode === "schema" ? SCHEMA_MS : busyMs}; SET LOCAL idle_in_transaction_session_timeout = ${idleMs}`;
}

/** How long a migration waits for another's. */
const SCHEMA_MS = 60_000;

/**
 * @param owned - whether the pool ends with the store
 * @param prepare - whether statements are kept prepared in each connection
 * @param busyMs - how long a statement or a transaction waits for others, in milliseconds
 */
export function poolPort(pool: PgPool, owned: boolean, prepare: boolean, busyMs: number): PostgresPort {
  // The pool replaces an idle connection that breaks off; without a listener the event would end the process.
  const ignore = () => undefined;
  pool.on?.("error", ignore);
  // A new connection can break off before its promise continues: the server's greeting and farewell may share a packet.
  // So each connection has a listener before the pool hands it out.
  const guarded = new WeakSet<PgClient>();
  const guard = (client: PgClient) => {
    if (guarded.has(client)) return;
    guarded.add(client);
    client.on("error", ignore);
  };
  pool.on?.("acquire", guard);
  return {
    query: (text, values, name) =>
      onClient(pool, busyMs, async (client) => {
        const { rows } = await queryWithin(client, config(text, values ?? [], prepare ? name : undefined), busyMs);
        return rows;
      }),
    transaction: (mode, work) =>
      onClient(pool, mode === "schema" ? SCHEMA_MS : busyMs, async (client) => {
        const own = session(client, prepare);
        await queryWithin(client, config(beginning(mode, busyMs), [], undefined), busyMs);
        try {
          const result = await work(own);
          await own.query("COMMIT");
          return result;
        } catch (error) {
          // Where it cannot be rolled back, the connection broke off, and its end tells why.
          await own.query("ROLLBACK");
          throw error;
        }
      }),
    async listen(channel, onMessage, onLost) {
      // Listening keeps a connection for itself; one alone is needed for everything else.
      if ((pool.options?.max ?? 10) < 2) throw new HebraError("UNSUPPORTED", "A pool of one connection cannot listen.");
      const client = await connectWithin(pool, busyMs);
      let over = false;
      const hear = (message: { channel: string; payload?: string | undefined }) => {
        if (message.channel === channel) onMessage(message.payload ?? "");
      };
      const lose = () => {
        if (over) return;
        over = true;
        client.release(true);
        onLost();
      };
      client.on("notification", hear);
      client.on("error", lose);
      client.on("end", lose);
      try {
        await session(client, false).query(`LISTEN "${channel}"`);
      } catch (error) {
        over = true;
        client.release(true);
        throw error;
      }
      return async () => {
        if (over) return;
        over = true;
        // Not given back to the pool: a connection that listens is of no use to others.
        client.removeListener("notification", hear);
        client.release(true);
      };
    },
    close: async () => {
      if (owned) return pool.end();
      pool.removeListener?.("error", ignore);
      pool.removeListener?.("acquire", guard);
    },
  };
}

/** Works on a connection of the pool, which is dropped when it may be of no further use. */
async function onClient<T>(pool: PgPool, limitMs: number, work: (client: PgClient) => Promise<T>): Promise<T> {
  const client = await connectWithin(pool, limitMs);
  let broken: Error | undefined;
  const lose = (error: Error) => void (broken = error);
  client.on("error", lose);
  try {
    return await work(client);
  } catch (error) {
    const reason = broken ?? error;
    if (!isUsableAfter(error)) broken ??= error instanceof Error ? error : new Error(String(error));
    throw reason;
  } finally {
    client.removeListener("error", lose);
    client.release(broken);
  }
}
