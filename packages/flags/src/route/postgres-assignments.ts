import { assertPeer, errorMessage, HebraError, loadPeer, parseOptions } from "@hebra/core";
import * as z from "zod";
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
  .strictObject({
    pool: z
      .custom<AssignmentsPostgresPool>(
        (value) => typeof (value as AssignmentsPostgresPool | null)?.query === "function",
        { message: "not a pg pool" },
      )
      .optional(),
    connectionString: z.string().min(1).optional(),
    schema: z
      .string()
      .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
      .default("hebra"),
  })
  .refine(({ pool, connectionString }) => (pool === undefined) !== (connectionString === undefined), {
    message: "give either `pool` or `connectionString`",
  });

const peer = { name: "pg", range: "^8.0.0", neededBy: "@hebra/flags/postgres" };

/** Somebody else made the schema or the table at the same moment. */
const MADE_ALREADY = new Set(["23505", "42P06", "42P07"]);

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
  const { pool: given, connectionString, schema } = parseOptions("postgresAssignments", optionsSchema, options);
  if (given === undefined) assertPeer(peer, import.meta.url);
  const table = `${schema}.flag_assignments`;
  let opened: Promise<AssignmentsPostgresPool> | undefined;

  async function open(): Promise<AssignmentsPostgresPool> {
    const pool = given ?? (await connect(connectionString!));
    for (const statement of [
      `create schema if not exists ${schema}`,
      `create table if not exists ${table} (flag text not null, session text not null, revision bigint not null, last_seen_at timestamptz not null, document text not null, primary key (flag, session))`,
      `create index if not exists flag_assignments_last_seen on ${table} (last_seen_at)`,
    ]) {
      await pool.query(statement).catch((error: { code?: string }) => {
        if (!MADE_ALREADY.has(error.code ?? "")) throw error;
      });
    }
    return pool;
  }

  async function reach<T>(work: (pool: AssignmentsPostgresPool) => Promise<T>): Promise<T> {
    try {
      opened ??= open();
      return await work(await opened);
    } catch (cause) {
      // What could not be opened is tried again at the next call.
      await opened?.catch(() => void (opened = undefined));
      if (HebraError.isInstance(cause)) throw cause;
      throw new HebraError("UNREACHABLE", `PostgreSQL did not answer for an assignment: ${errorMessage(cause)}.`, {
        cause,
      });
    }
  }

  return {
    read: (flag, session, tenant) =>
      reach(async (pool) => {
        const { rows } = await pool.query(`select document from ${table} where flag = $1 and session = $2`, [
          flag,
          assignmentKey(session, tenant),
        ]);
        return rows[0] === undefined ? undefined : decodeAssignment(String(rows[0]["document"]));
      }),
    write: (assignment) =>
      reach(async (pool) => {
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
    async close() {
      if (given === undefined) await (await opened?.catch(() => undefined))?.end();
    },
  };
}

async function connect(connectionString: string): Promise<AssignmentsPostgresPool> {
  const { default: pg } = await loadPeer(peer, () => import("pg"));
  const pool = new pg.Pool({ connectionString });
  // A connection that breaks while idle is replaced; without a listener it would end the process.
  pool.on("error", () => {});
  return pool as unknown as AssignmentsPostgresPool;
}
