import { parseOptions } from "@hebra/core";
import * as z from "zod";
import { onePlace, postgresTable, tableShape } from "../provider/postgres/table.ts";
import type { AssignmentStore } from "./assignment.ts";
import { assignmentKey, decodeAssignment, encodeAssignment } from "./encode-assignment.ts";

/** The part of a `pg` pool that the assignments use. */
export interface AssignmentsPostgresPool {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly rowCount?: number | null }>;
  end(): Promise<void>;
}

/** Options of {@link postgresAssignments}: a pool, which stays the host's to end, or a connection string. */
export interface PostgresAssignmentsOptions {
  readonly pool?: AssignmentsPostgresPool;
  readonly connectionString?: string;
  /** Schema of the table; made when it does not exist. @defaultValue "hebra" */
  readonly schema?: string;
}

const optionsSchema = z
  .strictObject(tableShape<AssignmentsPostgresPool>("query"))
  .refine(onePlace.check, { message: onePlace.message });

/**
 * Assignments in PostgreSQL, for several processes. The table is made at first use; `last_seen_at` has an index, for
 * whoever deletes old rows.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when pg is not installed and no pool was passed.
 *
 * @example
 * ```ts
 * import { createRouter, type Flags } from "@hebra/flags";
 * import { postgresAssignments } from "@hebra/flags/postgres";
 *
 * export function routerOf(flags: Flags) {
 *   return createRouter({ flags, assignments: postgresAssignments({ connectionString: "postgres://127.0.0.1/app" }) });
 * }
 * ```
 */
export function postgresAssignments(options: PostgresAssignmentsOptions): AssignmentStore & { close(): Promise<void> } {
  const { pool, connectionString, schema } = parseOptions("postgresAssignments", optionsSchema, options);
  const table = `${schema}.flag_assignments`;
  const { ask, close } = postgresTable({
    pool,
    connectionString,
    statements: [
      `create schema if not exists ${schema}`,
      `create table if not exists ${table} (flag text not null, session text not null, revision bigint not null, last_seen_at timestamptz not null, document text not null, primary key (flag, session))`,
      `create index if not exists flag_assignments_last_seen on ${table} (last_seen_at)`,
    ],
    what: "an assignment",
  });

  return {
    read: (flag, session, tenant) =>
      ask(async (pool) => {
        const { rows } = await pool.query(`select document from ${table} where flag = $1 and session = $2`, [
          flag,
          assignmentKey(session, tenant),
        ]);
        return rows[0] === undefined ? undefined : decodeAssignment(String(rows[0]["document"]));
      }),
    write: (assignment) =>
      ask(async (pool) => {
        const { flag, session, tenant, revision, lastSeenAt } = assignment;
        const values = [
          flag,
          assignmentKey(session, tenant),
          revision,
          new Date(lastSeenAt),
          encodeAssignment(assignment),
        ];
        const statement =
          revision === 1
            ? `insert into ${table} (flag, session, revision, last_seen_at, document) values ($1, $2, $3, $4, $5) on conflict do nothing`
            : `update ${table} set revision = $3, last_seen_at = $4, document = $5 where flag = $1 and session = $2 and revision = $3 - 1`;
        return (await pool.query(statement, values)).rowCount === 1;
      }),
    close,
  };
}
