import type { sqliteDriverNames } from "./driver-names.ts";
import { closeSync, openSync } from "node:fs";
import { HebraError, loadPeer } from "@hebra/core";
import type { Value } from "../table.ts";
import { wrapped } from "./errors.ts";

/** One prepared statement. */
export interface SqliteStatement {
  /** For statements without rows. */
  run(values: readonly Value[]): void;
  /** The rows, each as its columns' values in order. */
  all(values: readonly Value[]): Value[][];
  /** The only row there can be: half the price of asking for all. */
  one(values: readonly Value[]): Value[] | undefined;
}

/** The one synchronous shape that this store needs of a SQLite library. */
export interface SqliteConnection {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/** The libraries that are known by name. */
export type SqliteDriverName = (typeof sqliteDriverNames)[number];

/** An open database of `libsql`, `better-sqlite3` or `node:sqlite`, made by the host. The store closes it. */
export interface SqliteInstance {
  exec(sql: string): unknown;
  prepare(sql: string): unknown;
  close(): unknown;
}

/** What the three libraries' statements have in common, and `raw`, which `node:sqlite` lacks. */
interface LibraryStatement {
  run(...values: Bound): unknown;
  all(...values: Bound): unknown[];
  get(...values: Bound): unknown;
  raw?(on?: boolean): LibraryStatement;
}

/** Values one by one, as `node:sqlite` wants them, or as one array, which the others need not unpack first. */
type Bound = readonly Value[] | [readonly Value[]];

type Constructor = new (path: string, options?: object) => SqliteInstance;

/**
 * Opens a database file.
 *
 * @throws HebraError `PEER_MISSING`, `UNSUPPORTED` where Node has no SQLite of its own, `STORE_FAILED`
 */
export async function openSqlite(driver: SqliteDriverName, path: string): Promise<SqliteConnection> {
  const Database = await load(driver);
  try {
    makePrivate(path);
    return connection(new Database(path));
  } catch (error) {
    throw wrapped(error);
  }
}

/**
 * Makes a new file that only its user may read and write: conversations are private. SQLite gives the log and the
 * shared memory beside it the same mode. A file that is there keeps its own.
 */
function makePrivate(path: string): void {
  if (path === "" || path.startsWith(":memory:") || path.startsWith("file:")) return;
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    // What else is wrong with the path, SQLite says itself.
    if ((error as { code?: string }).code !== "EEXIST") return;
  }
}

async function load(driver: SqliteDriverName): Promise<Constructor> {
  const neededBy = "@hebra/thread/store/sqlite";
  if (driver === "node:sqlite") {
    // Written so that bundlers and older type definitions, which do not know the module, leave it alone.
    const name: string = driver;
    try {
      return ((await import(name)) as { DatabaseSync: Constructor }).DatabaseSync;
    } catch (error) {
      throw new HebraError(
        "UNSUPPORTED",
        "This Node has no node:sqlite; it came with 22.5. Use libsql or better-sqlite3.",
        { cause: error },
      );
    }
  }
  if (driver === "libsql") {
    const found = await loadPeer({ name: "libsql", range: ">=0.5.0", neededBy }, () => import("libsql"));
    return (found as unknown as { default: Constructor }).default;
  }
  const name: string = driver;
  const found = await loadPeer(
    { name, range: ">=11.0.0", neededBy },
    () => import(name) as Promise<{ default: Constructor }>,
  );
  return found.default;
}

/** Any of the three libraries' databases in the one shape. */
export function connection(database: SqliteInstance): SqliteConnection {
  return {
    exec: (sql) => void database.exec(sql),
    prepare: (sql) => statement(database.prepare(sql) as LibraryStatement),
    close: () => void database.close(),
  };
}

function statement(prepared: LibraryStatement): SqliteStatement {
  let rows: LibraryStatement | undefined;
  const raw = () => (rows ??= prepared.raw === undefined ? prepared : prepared.raw(true));
  const bound = (values: readonly Value[]): Bound => (prepared.raw === undefined ? values : [values]);
  // Without `raw`, a row is an object with its columns in order.
  const inOrder = (row: unknown) =>
    prepared.raw === undefined ? Object.values(row as Record<string, Value>) : (row as Value[]);
  return {
    run: (values) => void prepared.run(...bound(values)),
    all: (values) =>
      raw()
        .all(...bound(values))
        .map(inOrder),
    one(values) {
      const row = raw().get(...bound(values));
      return row === undefined || row === null ? undefined : inOrder(row);
    },
  };
}
