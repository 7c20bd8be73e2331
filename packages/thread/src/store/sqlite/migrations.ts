import { HebraError } from "@hebra/core";
import { checkSchema, migrationsFor, type Migration, type SchemaFound } from "../sql/ddl.ts";
import type { Table } from "../table.ts";
import { tables } from "../tables.ts";
import type { SqliteConnection } from "./driver.ts";
import { foreignTable } from "./errors.ts";
import { sqliteDdl } from "./statements.ts";

/** The migrations of this build. */
export const sqliteMigrations: readonly Migration[] = migrationsFor(
  Object.values(tables) as Table<object>[],
  sqliteDdl,
);

function read(database: SqliteConnection): SchemaFound {
  const there = database
    .prepare("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'thread_schema'")
    .all([]);
  if (there[0]![0] === 0) return { version: 0, compatibleFrom: 0 };
  const columns = database.prepare("SELECT name FROM pragma_table_info('thread_schema')").all([]).flat();
  if (!columns.includes("version") || !columns.includes("compatible_from")) throw foreignTable();
  const [row] = database
    .prepare(
      "SELECT coalesce(max(version), 0) AS version, coalesce(max(compatible_from), 0) AS compatible_from FROM thread_schema",
    )
    .all([]);
  return { version: row![0] as number, compatibleFrom: row![1] as number };
}

/**
 * Brings a database to this build's schema, or checks that it is there.
 *
 * @throws HebraError `SCHEMA_TOO_NEW`, and `SCHEMA_NOT_APPLIED` when it may not migrate
 */
export function migrate(
  database: SqliteConnection,
  mode: "automatic" | "manual",
  now: number,
  migrations: readonly Migration[] = sqliteMigrations,
): void {
  const target = migrations.at(-1)!.version;
  const before = read(database);
  checkSchema(before, target);
  if (before.version >= target) return;
  if (mode === "manual") {
    throw new HebraError(
      "SCHEMA_NOT_APPLIED",
      `The database is at schema version ${before.version}; this build needs ${target}. Open it once with \`migrations: "automatic"\`.`,
      {
        details: { found: before.version, needed: target },
      },
    );
  }
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been faster.
    const found = read(database);
    checkSchema(found, target);
    database.exec(
      "CREATE TABLE IF NOT EXISTS thread_schema (version INTEGER PRIMARY KEY, compatible_from INTEGER NOT NULL, applied_at INTEGER NOT NULL)",
    );
    for (const { version, compatibleFrom, statements } of migrations) {
      if (version <= found.version) continue;
      for (const statement of statements) database.exec(statement);
      database
        .prepare("INSERT INTO thread_schema (version, compatible_from, applied_at) VALUES (?1, ?2, ?3)")
        .run([version, compatibleFrom, now]);
    }
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
