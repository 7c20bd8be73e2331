import { assertPeer, errorMessage, HebraError, loadPeer, parseOptions } from "@hebra/core";
import * as z from "zod";
import type { IncidentStore } from "./incident.ts";
import { incidentColumns, sqlIncidents } from "./sql-incidents.ts";

/** The part of a `pg` pool that the store uses. */
export interface IncidentsPostgresPool {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  end(): Promise<void>;
}

/** Options of {@link postgresIncidents}: a pool, which stays the host's to end, or a connection string. */
export interface PostgresIncidentsOptions {
  readonly pool?: IncidentsPostgresPool;
  readonly connectionString?: string;
  /** Schema of the table; made when it does not exist. @defaultValue "hebra" */
  readonly schema?: string;
}

const optionsSchema = z
  .strictObject({
    pool: z
      .custom<IncidentsPostgresPool>(
        (value) => typeof (value as IncidentsPostgresPool | null)?.query === "function",
        "must be a pg pool",
      )
      .optional(),
    connectionString: z.string().min(1).optional(),
    schema: z
      .string()
      .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
      .default("hebra"),
  })
  .refine(({ pool, connectionString }) => (pool === undefined) !== (connectionString === undefined), {
    message: "needs either `pool` or `connectionString`",
  });

const peer = { name: "pg", range: "^8.0.0", neededBy: "@hebra/flags/postgres" };
/** Somebody else made the schema or the table at the same moment. */
const MADE_ALREADY = new Set(["23505", "42P06", "42P07"]);

/**
 * Incidents in PostgreSQL, shared by all processes. The table is made at first use; delete old rows as you like.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when pg is not installed and no pool was passed. Its methods
 * throw `UNREACHABLE`.
 *
 * @example
 * ```ts
 * import { createIncidentWatch } from "@hebra/flags/incident";
 * import { postgresIncidents } from "@hebra/flags/postgres";
 *
 * export function watchOf(connectionString: string) {
 *   return createIncidentWatch({ sink: postgresIncidents({ connectionString }) });
 * }
 * ```
 */
export function postgresIncidents(options: PostgresIncidentsOptions): IncidentStore & { end(): Promise<void> } {
  const { pool: given, connectionString, schema } = parseOptions("postgresIncidents", optionsSchema, options);
  if (given === undefined) assertPeer(peer, import.meta.url);
  const table = `${schema}.incidents`;
  let opened: Promise<IncidentsPostgresPool> | undefined;

  async function open(): Promise<IncidentsPostgresPool> {
    const pool = given ?? (await connect(connectionString!));
    for (const statement of [
      `create schema if not exists ${schema}`,
      `create table if not exists ${table} (${incidentColumns})`,
      `create index if not exists incidents_at on ${table} (at)`,
    ]) {
      await pool.query(statement).catch((error: { code?: string }) => {
        if (!MADE_ALREADY.has(error.code ?? "")) throw error;
      });
    }
    return pool;
  }

  async function rows(statement: string, values: readonly unknown[]): Promise<string[]> {
    try {
      opened ??= open();
      const found = await (await opened).query(statement, values);
      return found.rows.map((row) => String(Object.values(row)[0]));
    } catch (cause) {
      // What could not be opened is tried again at the next call.
      await opened?.catch(() => void (opened = undefined));
      throw new HebraError("UNREACHABLE", `PostgreSQL did not answer for an incident: ${errorMessage(cause)}.`, {
        cause,
      });
    }
  }

  return {
    ...sqlIncidents({ table, rows, run: async (...call) => void (await rows(...call)) }),
    async end() {
      if (given === undefined) await (await opened?.catch(() => undefined))?.end();
    },
  };
}

async function connect(connectionString: string): Promise<IncidentsPostgresPool> {
  const { default: pg } = await loadPeer(peer, () => import("pg"));
  const pool = new pg.Pool({ connectionString });
  // A connection that breaks while idle is replaced; without a listener it would end the process.
  pool.on("error", () => {});
  return pool as unknown as IncidentsPostgresPool;
}
