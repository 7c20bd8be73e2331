import { assertPeer, errorMessage, HebraError, loadPeer } from "@hebra/core";
import * as z from "zod";

/** The part of a `pg` client that flags use. */
export interface FlagsPostgresClient {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  on(event: "notification" | "error" | "end", listener: () => void): unknown;
  release(broken?: boolean): void;
}

/** The part of a `pg` pool that flags use. */
export interface FlagsPostgresPool {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  connect(): Promise<FlagsPostgresClient>;
  end(): Promise<void>;
}

/** Where flags are in PostgreSQL: a pool, which stays the host's to end, or a connection string. */
export interface PostgresFlagsOptions {
  readonly pool?: FlagsPostgresPool;
  readonly connectionString?: string;
  /** Schema of the table; made when it does not exist. @defaultValue "hebra" */
  readonly schema?: string;
}

/** The options as a schema's shape. */
export const postgresShape = {
  pool: z
    .custom<FlagsPostgresPool>(
      (value) => typeof (value as FlagsPostgresPool | null)?.connect === "function",
      "must be a pg pool",
    )
    .optional(),
  connectionString: z.string().min(1).optional(),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
    .default("hebra"),
};

/** For a schema's `refine`. */
export const onePlace = {
  check: ({ pool, connectionString }: { pool?: unknown; connectionString?: string | undefined }) =>
    (pool === undefined) !== (connectionString === undefined),
  message: "needs either `pool` or `connectionString`",
};

const peer = { name: "pg", range: "^8.0.0", neededBy: "@hebra/flags/postgres" };
/** Somebody else made the schema or the table at the same moment. */
const MADE_ALREADY = new Set(["23505", "42P06", "42P07"]);

/** The table of flag documents, opened at first use. */
export interface FlagTable {
  readonly table: string;
  /** The channel of changes. */
  readonly channel: string;
  /** @throws HebraError `UNREACHABLE` */
  ask<T>(work: (pool: FlagsPostgresPool) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** @throws HebraError `PEER_MISSING` when pg is not installed and no pool was passed */
export function flagTable({
  pool: given,
  connectionString,
  schema,
  create,
}: {
  readonly pool?: FlagsPostgresPool | undefined;
  readonly connectionString?: string | undefined;
  readonly schema: string;
  /** Whether to make the table when it does not exist: readers need no right to. */
  readonly create: boolean;
}): FlagTable {
  if (given === undefined) assertPeer(peer, import.meta.url);
  const table = `${schema}.flag_documents`;
  let opened: Promise<FlagsPostgresPool> | undefined;
  let closed = false;

  async function open(): Promise<FlagsPostgresPool> {
    const pool = given ?? (await connect(connectionString!));
    const statements = [
      `create schema if not exists ${schema}`,
      `create table if not exists ${table} (name text primary key, revision bigint not null, document text not null)`,
    ];
    for (const statement of create ? statements : []) {
      await pool.query(statement).catch((error: { code?: string }) => {
        if (!MADE_ALREADY.has(error.code ?? "")) throw error;
      });
    }
    return pool;
  }

  return {
    table,
    channel: `${schema}_flags_changed`,
    async ask(work) {
      try {
        opened ??= open();
        return await work(await opened);
      } catch (cause) {
        // What could not be opened is tried again at the next call.
        if (!closed) await opened?.catch(() => void (opened = undefined));
        if (HebraError.isInstance(cause)) throw cause;
        throw new HebraError("UNREACHABLE", `PostgreSQL did not answer for the flags: ${errorMessage(cause)}.`, {
          cause,
        });
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      const closing = opened;
      opened = Promise.reject(new HebraError("CLOSED", "The flags in PostgreSQL are closed."));
      opened.catch(() => undefined);
      if (given === undefined) await (await closing?.catch(() => undefined))?.end();
    },
  };
}

async function connect(connectionString: string): Promise<FlagsPostgresPool> {
  const { default: pg } = await loadPeer(peer, () => import("pg"));
  const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  // A connection that breaks while idle is replaced; without a listener it would end the process.
  pool.on("error", () => {});
  return pool as unknown as FlagsPostgresPool;
}
