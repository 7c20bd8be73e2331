import { parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { connect, connectionShape, type PostgresConnection } from "../store/postgres/connect.ts";
import { wrapped } from "../store/postgres/errors.ts";
import type { PostgresPort } from "../store/postgres/port.ts";
import {
  ENDED_MS,
  IDLE_MS,
  KEPT_BATCHES,
  PAGE_BATCHES,
  turnKey,
  type LiveTail,
  type TailRecord,
} from "../stream/live-tail.ts";
import { createTailWatchers } from "../stream/tail-watchers.ts";

/** How {@link postgresTail} is made. */
export interface PostgresTailOptions extends PostgresConnection {
  /** @defaultValue the system's */
  clock?: Clock;
}

const schema = z.strictObject({ ...connectionShape, clock: z.custom<Clock>().optional() });

/** Appends of this process between two looks for rows that nobody needs. */
const SWEEP_EVERY = 256;
const RETRY_MS = 1_000;
/** The lock under which the table is made: "hebra tail" as a number. */
const TABLE_LOCK = 7_236_820_451;

/**
 * A live tail over PostgreSQL: one unlogged table, which it makes in the store's schema, and NOTIFY as a hint. Each
 * frame of each streaming turn is one insert; prefer Redis where many turns stream at once.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`, and what the database says
 *
 * @example
 * ```ts
 * import { postgresTail } from "@hebra/thread/tail/postgres";
 *
 * export const open = (connectionString: string) => postgresTail({ connectionString });
 * ```
 */
export async function postgresTail(options: PostgresTailOptions): Promise<LiveTail> {
  const parsed = parseOptions("postgresTail", schema, options);
  const { clock = systemClock } = parsed;
  const { port } = await connect(parsed);
  const table = `"${parsed.schema}".thread_live_tail`;
  try {
    await makeTable(port, table);
  } catch (error) {
    await port.close().catch(() => undefined);
    throw wrapped(error);
  }
  const channel = `thread_tail_${parsed.schema}`.slice(0, 63);
  const watchers = createTailWatchers();
  const listener = createListener(port, channel, clock, watchers.notify);
  const ended = new Map<string, () => void>();
  let appends = 0;

  const remove = async (key: string) => {
    ended.get(key)?.();
    ended.delete(key);
    await port.query(`DELETE FROM ${table} WHERE turn = $1`, [key], "hebra_tail_end");
  };

  async function sweep(key: string): Promise<void> {
    const oldest = `SELECT id FROM ${table} WHERE turn = $1 ORDER BY id DESC OFFSET ${KEPT_BATCHES} LIMIT 1`;
    await port.query(`DELETE FROM ${table} WHERE turn = $1 AND id <= (${oldest})`, [key], "hebra_tail_cap");
    const stale = `at < now() - interval '${IDLE_MS / 1_000} seconds'`;
    await port.query(`DELETE FROM ${table} WHERE ${stale}`, [], "hebra_tail_sweep");
  }

  return {
    async append(turn, records) {
      const key = turnKey(turn);
      const added = `WITH added AS (INSERT INTO ${table} (turn, records) VALUES ($1, $2) RETURNING 1)`;
      await port.query(
        `${added} SELECT pg_notify($3, $1) FROM added`,
        [key, JSON.stringify(records), channel],
        "hebra_tail_append",
      );
      if (++appends % SWEEP_EVERY === 0) await sweep(key);
    },
    async read(turn, after) {
      const text = `SELECT id::text AS place, records FROM ${table} WHERE turn = $1 AND id > $2::bigint ORDER BY id LIMIT ${PAGE_BATCHES}`;
      const rows = (await port.query(text, [turnKey(turn), after ?? "0"], "hebra_tail_read")) as [string, string][];
      return {
        records: rows.flatMap(([, records]) => JSON.parse(records) as TailRecord[]),
        position: rows.at(-1)?.[0] ?? after,
      };
    },
    watch(turn, onNews) {
      listener.start();
      return watchers.watch(turnKey(turn), onNews);
    },
    async end(turn) {
      const key = turnKey(turn);
      ended.get(key)?.();
      ended.set(
        key,
        clock.after(ENDED_MS, () => void remove(key).catch(() => undefined)),
      );
    },
    async close() {
      await Promise.allSettled([...ended.keys()].map(remove));
      await listener.stop();
      await port.close();
    },
  };
}

async function makeTable(port: PostgresPort, table: string): Promise<void> {
  await port.transaction("schema", async (session) => {
    await session.query(`SELECT pg_advisory_xact_lock(${TABLE_LOCK})`);
    await session.query(
      `CREATE UNLOGGED TABLE IF NOT EXISTS ${table} (id bigserial PRIMARY KEY, turn text NOT NULL, at timestamptz NOT NULL DEFAULT now(), records text NOT NULL)`,
    );
    await session.query(`CREATE INDEX IF NOT EXISTS thread_live_tail_turn ON ${table} (turn, id)`);
  });
}

/** Listens while it can; readers look by themselves in between. */
function createListener(port: PostgresPort, channel: string, clock: Clock, notify: (key?: string) => void) {
  let listening: Promise<(() => Promise<void>) | undefined> | undefined;
  let cancelRetry = () => {};
  let closed = false;
  const lost = () => {
    listening = undefined;
    if (!closed) cancelRetry = clock.after(RETRY_MS, start);
  };
  function start(): void {
    if (closed || listening !== undefined) return;
    listening = port.listen(channel, notify, lost).then(
      (end) => {
        notify();
        return end;
      },
      () => {
        lost();
        return undefined;
      },
    );
  }
  return {
    start,
    async stop() {
      closed = true;
      cancelRetry();
      await (await listening)?.().catch(() => undefined);
    },
  };
}
