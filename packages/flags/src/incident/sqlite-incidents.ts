import { assertPeer, errorMessage, HebraError, loadPeer, parseOptions } from "@hebra/core";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import type { IncidentStore } from "./incident.ts";
import { incidentColumns, sqlIncidents } from "./sql-incidents.ts";

/** The part of a SQLite library's database that the store uses: `libsql`, `better-sqlite3` and `node:sqlite` fit. */
export interface IncidentsSqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { all(...values: unknown[]): unknown[]; run(...values: unknown[]): unknown };
  close(): unknown;
}

/** Options of {@link sqliteIncidents}: a path, or an open database, which stays the host's to close. */
export interface SqliteIncidentsOptions {
  readonly path?: string;
  readonly database?: IncidentsSqliteDatabase;
  /** How long a call waits for other processes' writes, ms. @defaultValue 5000 */
  readonly busyMs?: number;
}

const optionsSchema = z
  .strictObject({
    path: z.string().min(1).optional(),
    database: z
      .custom<IncidentsSqliteDatabase>(
        (value) => typeof (value as IncidentsSqliteDatabase | null)?.prepare === "function",
        "must be an open database",
      )
      .optional(),
    busyMs: z.int().min(0).default(5_000),
  })
  .refine(({ path, database }) => (path === undefined) !== (database === undefined), {
    message: "needs either `path` or `database`",
  });

const peer = { name: "libsql", range: ">=0.5.0", neededBy: "@hebra/flags/sqlite" };

/**
 * Incidents in a SQLite file, shared by the processes of one host.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when libsql is not installed and no database was passed. Its
 * methods throw `STORE_FAILED`.
 *
 * @example
 * ```ts
 * import { sqliteIncidents } from "@hebra/flags/sqlite";
 *
 * const incidents = sqliteIncidents({ path: ":memory:" });
 * console.log(await incidents.list({ open: true })); // []
 * await incidents.end();
 * ```
 */
export function sqliteIncidents(options: SqliteIncidentsOptions): IncidentStore & { end(): Promise<void> } {
  const { path, database: given, busyMs } = parseOptions("sqliteIncidents", optionsSchema, options);
  if (given === undefined) assertPeer(peer, import.meta.url);
  const table = "incidents";
  let opened: Promise<IncidentsSqliteDatabase> | undefined;

  async function open(): Promise<IncidentsSqliteDatabase> {
    const database = given ?? (await openFile(path!));
    database.exec(`pragma busy_timeout = ${busyMs}`);
    if (given === undefined) database.exec("pragma journal_mode = wal");
    database.exec(`create table if not exists ${table} (${incidentColumns})`);
    database.exec(`create index if not exists incidents_at on ${table} (at)`);
    return database;
  }

  async function reach<T>(work: (database: IncidentsSqliteDatabase) => T): Promise<T> {
    try {
      opened ??= open();
      return work(await opened);
    } catch (cause) {
      await opened?.catch(() => void (opened = undefined));
      if (HebraError.isInstance(cause)) throw cause;
      throw new HebraError("STORE_FAILED", `The incident database failed: ${errorMessage(cause)}`, { cause });
    }
  }

  // SQLite counts `?1`, PostgreSQL `$1`.
  const own = (statement: string) => statement.replace(/\$(\d+)/g, "?$1");
  return {
    ...sqlIncidents({
      table,
      rows: (statement, values) =>
        reach((database) =>
          database
            .prepare(own(statement))
            .all(...values)
            .map((row) => String(Object.values(row as object)[0])),
        ),
      run: (statement, values) => reach((database) => void database.prepare(own(statement)).run(...values)),
    }),
    async end() {
      if (given === undefined) (await opened?.catch(() => undefined))?.close();
    },
  };
}

async function openFile(path: string): Promise<IncidentsSqliteDatabase> {
  const loaded = await loadPeer(peer, () => import("libsql"));
  const Database = (loaded as unknown as { default: new (path: string) => IncidentsSqliteDatabase }).default;
  if (path !== ":memory:") await mkdir(dirname(path), { recursive: true });
  return new Database(path);
}
