import { parseOptions } from "@hebra/core";
import * as z from "zod";
import { onePlace, postgresTable, tableShape } from "../provider/postgres/table.ts";
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
  .strictObject(tableShape<IncidentsPostgresPool>("query"))
  .refine(onePlace.check, { message: onePlace.message });

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
  const { pool, connectionString, schema } = parseOptions("postgresIncidents", optionsSchema, options);
  const table = `${schema}.incidents`;
  const { ask, close } = postgresTable({
    pool,
    connectionString,
    statements: [
      `create schema if not exists ${schema}`,
      `create table if not exists ${table} (${incidentColumns})`,
      `create index if not exists incidents_at on ${table} (at)`,
    ],
    what: "an incident",
  });
  const rows = (statement: string, values: readonly unknown[]) =>
    ask(async (open) => (await open.query(statement, values)).rows.map((row) => String(Object.values(row)[0])));
  return { ...sqlIncidents({ table, rows, run: async (...call) => void (await rows(...call)) }), end: close };
}
