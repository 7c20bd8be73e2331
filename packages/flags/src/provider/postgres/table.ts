import { assertPeer, errorMessage, HebraError, loadPeer } from "@hebra/core";
import * as z from "zod";

/** What every table needs of a `pg` pool. */
interface Queries {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  end(): Promise<void>;
}

/** Where a table is, as a schema's shape. @param method - what the pool must have */
export const tableShape = <Pool extends Queries>(method: keyof Pool & string) => ({
  pool: z
    .custom<Pool>((value) => typeof (value as Pool | null)?.[method] === "function", "must be a pg pool")
    .optional(),
  connectionString: z.string().min(1).optional(),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
    .default("hebra"),
});

/** For a schema's `refine`. */
export const onePlace = {
  check: ({ pool, connectionString }: { pool?: unknown; connectionString?: string | undefined }) =>
    (pool === undefined) !== (connectionString === undefined),
  message: "needs either `pool` or `connectionString`",
};

const peer = { name: "pg", range: "^8.0.0", neededBy: "@hebra/flags/postgres" };
/** Somebody else made the schema or the table at the same moment. */
const MADE_ALREADY = new Set(["23505", "42710", "42P06", "42P07"]);
/** How long a connection and a statement may take: a server that hangs must not hold a turn. */
const PATIENCE_MS = 5_000;

/** A table, opened at first use. */
export interface PostgresTable<Pool> {
  /** @throws HebraError `UNREACHABLE`, `CLOSED` */
  ask<T>(work: (pool: Pool) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** @throws HebraError `PEER_MISSING` when pg is not installed and no pool was passed */
export function postgresTable<Pool extends Queries>({
  pool: given,
  connectionString,
  statements,
  what,
}: {
  readonly pool?: Pool | undefined;
  readonly connectionString?: string | undefined;
  /** What makes the table; nothing for readers, who need no right to. */
  readonly statements: readonly string[];
  /** What the table holds, for people: "the flags". */
  readonly what: string;
}): PostgresTable<Pool> {
  if (given === undefined) assertPeer(peer, import.meta.url);
  let opened: Promise<Pool> | undefined;
  let closed = false;

  async function open(): Promise<Pool> {
    const pool = given ?? (await connect<Pool>(connectionString!));
    for (const statement of statements) {
      await pool.query(statement).catch((error: { code?: string }) => {
        if (!MADE_ALREADY.has(error.code ?? "")) throw error;
      });
    }
    return pool;
  }

  return {
    async ask(work) {
      try {
        opened ??= open();
        return await work(await opened);
      } catch (cause) {
        // What could not be opened is tried again at the next call.
        if (!closed) await opened?.catch(() => void (opened = undefined));
        if (HebraError.isInstance(cause)) throw cause;
        throw new HebraError("UNREACHABLE", `PostgreSQL did not answer for ${what}: ${errorMessage(cause)}.`, {
          cause,
        });
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      const closing = opened;
      opened = Promise.reject(new HebraError("CLOSED", `The PostgreSQL table of ${what} is closed.`));
      opened.catch(() => undefined);
      if (given === undefined) await (await closing?.catch(() => undefined))?.end();
    },
  };
}

async function connect<Pool>(connectionString: string): Promise<Pool> {
  const { default: pg } = await loadPeer(peer, () => import("pg"));
  const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: PATIENCE_MS, query_timeout: PATIENCE_MS });
  // A connection that breaks while idle is replaced; without a listener it would end the process.
  pool.on("error", () => {});
  return pool as unknown as Pool;
}
