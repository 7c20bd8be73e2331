import { parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { connect, connectionShape, type PostgresConnection } from "./postgres/connect.ts";
import { applyMigrations, migrationStatus, requireMigrations, type MigrationStatus } from "./postgres/migrations.ts";
import { wrapped } from "./postgres/errors.ts";
import { createRunner } from "./postgres/runner.ts";
import { createWatch } from "./postgres/watch.ts";
import type { ThreadStore } from "./store.ts";
import { createTableStore } from "./table-store.ts";

export type { PostgresConnection } from "./postgres/connect.ts";
export type { MigrationStatus } from "./postgres/migrations.ts";
export type { PgliteInstance } from "./postgres/pglite.ts";
export type { PgClient, PgPool } from "./postgres/pg-client.ts";

/** How {@link postgresStore} is made. */
export interface PostgresStoreOptions extends PostgresConnection {
  /**
   * Whether to bring the schema to this build's version when the store is opened, or to refuse an older one.
   * Deployments
   * apply migrations as a step of their own: see {@link postgresMigrations}.
   *
   * @defaultValue `manual` for a server, `automatic` for PGlite
   */
  migrations?: "automatic" | "manual";
  /** @defaultValue the system's */
  clock?: Clock;
}

const schema = z.strictObject({
  ...connectionShape,
  migrations: z.enum(["automatic", "manual"]).optional(),
  clock: z.custom<Clock>().optional(),
});

/**
 * Keeps threads in PostgreSQL, for any number of processes and hosts; or in PGlite, for one process. A holder's write
 * is
 * one statement and one transaction.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`, `SCHEMA_NOT_APPLIED`, `SCHEMA_TOO_NEW`, `STORE_LOCKED`,
 * `UNREACHABLE`
 *
 * @example
 * ```ts
 * import { postgresStore } from "@hebra/thread/store/postgres";
 *
 * export async function open(connectionString: string) {
 *   return postgresStore({ connectionString, schema: "agents", migrations: "automatic" });
 * }
 * ```
 */
export async function postgresStore(options: PostgresStoreOptions): Promise<ThreadStore> {
  const parsed = parseOptions("postgresStore", schema, options);
  const { clock = systemClock } = parsed;
  const { port, embedded } = await connect(parsed);
  try {
    const automatic = parsed.migrations === undefined ? embedded : parsed.migrations === "automatic";
    if (!automatic || (await migrationStatus(port, parsed.schema)).pending.length === 0)
      await requireMigrations(port, parsed.schema);
    else await applyMigrations(port, parsed.schema, clock.now(), parsed.busyMs);
  } catch (error) {
    await port.close().catch(() => undefined);
    throw wrapped(error);
  }
  const channel = `thread_inbox_${parsed.schema}`.slice(0, 63);
  const watch = createWatch(port, parsed.schema, channel, clock);
  return createTableStore({
    name: "postgres",
    scope: embedded ? "process" : "shared",
    ...createRunner(port, parsed.schema, channel, parsed.busyMs),
    watch: watch.watch,
    now: carriedOn(async () => {
      const text = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8";
      const [row] = await wrapping(port.query(text, [], "hebra_now"));
      return row![0] as number;
    }),
    async close() {
      await watch.close();
      await port.close();
    },
  });
}

/** Milliseconds for which the server's clock is not asked again. */
const CLOCK_KEPT_MS = 1_000;

/**
 * The server's clock, carried on by this process's for a moment: a statement less for each request of a lease. What it
 * says is never later than the server's own, as the server was asked before the time that is added began.
 */
function carriedOn(read: () => Promise<number>): () => Promise<number> {
  let known: { server: number; at: number } | undefined;
  return async () => {
    const passed = known === undefined ? Infinity : performance.now() - known.at;
    if (known !== undefined && passed < CLOCK_KEPT_MS) return known.server + passed;
    const server = await read();
    known = { server, at: performance.now() };
    return server;
  };
}

/** The migrations of one database. */
export interface PostgresMigrations {
  /** Where the database stands. @throws HebraError `SCHEMA_TOO_NEW` */
  status(): Promise<MigrationStatus>;
  /**
   * Brings the database to this build's version, one process at a time; does nothing when it is there. @returns where
   * it then stands
   */
  apply(): Promise<MigrationStatus>;
  close(): Promise<void>;
}

/**
 * The numbered migrations of {@link postgresStore}, for a step before a deploy. They only add, so that processes of the
 * version before go on beside the new ones.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`, `STORE_LOCKED`
 *
 * @example
 * ```ts
 * import { postgresMigrations } from "@hebra/thread/store/postgres";
 *
 * export async function migrate(connectionString: string) {
 *   const migrations = await postgresMigrations({ connectionString });
 *   const { version } = await migrations.apply();
 *   await migrations.close();
 *   return version;
 * }
 * ```
 */
export async function postgresMigrations(options: PostgresConnection & { clock?: Clock }): Promise<PostgresMigrations> {
  const parsed = parseOptions(
    "postgresMigrations",
    z.strictObject({ ...connectionShape, clock: z.custom<Clock>().optional() }),
    options,
  );
  const { clock = systemClock } = parsed;
  const { port } = await connect(parsed);
  return {
    status: () => wrapping(migrationStatus(port, parsed.schema)),
    apply: () => wrapping(applyMigrations(port, parsed.schema, clock.now(), parsed.busyMs)),
    close: () => port.close(),
  };
}

async function wrapping<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw wrapped(error);
  }
}
