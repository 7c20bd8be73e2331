import { HebraError } from "@hebra/core";
import { checkSchema, migrationsFor, type Migration } from "../sql/ddl.ts";
import type { Table } from "../table.ts";
import { tables } from "../tables.ts";
import { explained, foreignTable, sqlState } from "./errors.ts";
import type { PostgresPort, PostgresSession } from "./port.ts";
import { ddlOf } from "./statements.ts";

/** Where a database stands. */
export interface MigrationStatus {
  /** The schema version of the database; 0 when there are no tables yet. */
  version: number;
  /** The schema version that this build needs. */
  needed: number;
  /** The versions that `apply` would bring, in order. */
  pending: number[];
}

/** The key of the lock under which migrations run, in the space of advisory locks: "hebra" in ASCII. */
const LOCK = "448344683105";

const migrationsOf = (schema: string): Migration[] =>
  migrationsFor(Object.values(tables) as Table<object>[], ddlOf(schema));

async function found(session: PostgresSession, schema: string): Promise<{ version: number; compatibleFrom: number }> {
  const [there] = await session.query("SELECT to_regclass($1::text) IS NOT NULL", [`"${schema}".thread_schema`]);
  if (there![0] !== true) return { version: 0, compatibleFrom: 0 };
  const text = `SELECT coalesce(max(version), 0)::float8, coalesce(max(compatible_from), 0)::float8 FROM "${schema}".thread_schema`;
  try {
    const [row] = await session.query(text);
    return { version: row![0] as number, compatibleFrom: row![1] as number };
  } catch (error) {
    // Its columns, or their types, are others.
    if (sqlState(error)?.startsWith("42") === true && sqlState(error) !== "42501") throw explained(error, foreignTable);
    throw error;
  }
}

/** @throws HebraError `SCHEMA_TOO_NEW` */
export async function migrationStatus(port: PostgresSession, schema: string): Promise<MigrationStatus> {
  const migrations = migrationsOf(schema);
  const needed = migrations.at(-1)!.version;
  const at = await found(port, schema);
  checkSchema(at, needed);
  return {
    version: at.version,
    needed,
    pending: migrations.map((one) => one.version).filter((version) => version > at.version),
  };
}

/**
 * Applies what is missing, in one transaction, one process at a time. @param busyMs - how long to wait for those who
 * use the tables @throws HebraError `SCHEMA_TOO_NEW`
 */
export async function applyMigrations(
  port: PostgresPort,
  schema: string,
  now: number,
  busyMs: number,
): Promise<MigrationStatus> {
  return port.transaction("schema", async (session) => {
    await session.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    // A change of a table that has to wait holds up everybody who comes after it.
    await session.query(`SET LOCAL lock_timeout = ${busyMs}`);
    const { version, pending } = await migrationStatus(session, schema);
    if (pending.length > 0) await applyAll(session, schema, version, now);
    return migrationStatus(session, schema);
  });
}

async function applyAll(session: PostgresSession, schema: string, version: number, now: number): Promise<void> {
  // Only where it is missing: a host may give rights to the schema, but not to make one.
  const [there] = await session.query("SELECT to_regnamespace($1::text) IS NOT NULL", [`"${schema}"`]);
  if (there![0] !== true) await session.query(`CREATE SCHEMA "${schema}"`);
  await session.query(
    `CREATE TABLE IF NOT EXISTS "${schema}".thread_schema (version BIGINT PRIMARY KEY, compatible_from BIGINT NOT NULL, applied_at BIGINT NOT NULL)`,
  );
  for (const migration of migrationsOf(schema)) {
    if (migration.version <= version) continue;
    for (const statement of migration.statements) await session.query(statement);
    await session.query(
      `INSERT INTO "${schema}".thread_schema (version, compatible_from, applied_at) VALUES ($1::bigint, $2::bigint, $3::bigint)`,
      [migration.version, migration.compatibleFrom, now],
    );
  }
}

/** @throws HebraError `SCHEMA_NOT_APPLIED`, `SCHEMA_TOO_NEW` */
export async function requireMigrations(port: PostgresSession, schema: string): Promise<void> {
  const { version, needed, pending } = await migrationStatus(port, schema);
  if (pending.length === 0) return;
  throw new HebraError(
    "SCHEMA_NOT_APPLIED",
    `The schema "${schema}" is at version ${version}; this build needs ${needed}. Call \`postgresMigrations(…).apply()\` first, or open the store with \`migrations: "automatic"\`.`,
    {
      details: { schema, found: version, needed },
    },
  );
}
