import { parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { sqliteDriverNames } from "./sqlite/driver-names.ts";
import { patiently } from "./sqlite/busy.ts";
import {
  connection,
  openSqlite,
  type SqliteConnection,
  type SqliteDriverName,
  type SqliteInstance,
} from "./sqlite/driver.ts";
import { migrate } from "./sqlite/migrations.ts";
import { watchFile } from "./sqlite/same-file.ts";
import { createOps } from "./sqlite/statements.ts";
import { createWatch } from "./sqlite/watch.ts";
import { createWriter } from "./sqlite/writer.ts";
import type { ThreadStore } from "./store.ts";
import { createTableStore } from "./table-store.ts";
import type { Verb } from "./verbs/op.ts";
import { runSync } from "./verbs/resolve.ts";

export type { SqliteDriverName, SqliteInstance } from "./sqlite/driver.ts";

/** How {@link sqliteStore} is made. */
export interface SqliteStoreOptions {
  /**
   * The database file, or `:memory:`. A new file can be read and written by this user alone. Left out only when
   * `driver` is an open database.
   */
  path?: string;
  /**
   * What a finished write has survived: with `FULL` a power cut, with `NORMAL` a crash of the process only — the last
   * writes before a power cut may be missing, never half of one.
   *
   * @defaultValue `FULL`
   */
  synchronous?: "FULL" | "NORMAL";
  /**
   * The library, by name, or an open database of one of them. `libsql` and `better-sqlite3` are optional peers;
   * `node:sqlite` comes with Node from 22.5 on.
   *
   * @defaultValue `libsql`
   */
  driver?: SqliteDriverName | SqliteInstance;
  /** Whether to bring an older file to this build's schema, or to refuse it. @defaultValue `automatic` */
  migrations?: "automatic" | "manual";
  /**
   * How long a call waits for other processes' writes, in milliseconds; then it fails with `STORE_BUSY`. A process that
   * is stopped in the middle of a write (SIGSTOP, a suspended container) keeps the file's one write lock until it goes
   * on or is killed: others can read meanwhile, and cannot write. Where that may happen, use PostgreSQL or Redis.
   *
   * @defaultValue 5000
   */
  busyMs?: number;
  /** @defaultValue the system's */
  clock?: Clock;
}

const schema = z.strictObject({
  path: z.string().min(1).optional(),
  synchronous: z.enum(["FULL", "NORMAL"]).default("FULL"),
  driver: z
    .union([
      z.enum(sqliteDriverNames),
      z.custom<SqliteInstance>(isInstance, "is neither a driver's name nor an open database"),
    ])
    .default("libsql"),
  migrations: z.enum(["automatic", "manual"]).default("automatic"),
  busyMs: z.number().int().min(0).default(5000),
  clock: z.custom<Clock>().optional(),
});

function isInstance(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as SqliteInstance).prepare === "function" &&
    typeof (value as SqliteInstance).exec === "function"
  );
}

/**
 * Keeps threads in a SQLite file: the embedded default, for the processes of one host. Commits that arrive together
 * share
 * one sync to disk.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`, `UNSUPPORTED`, `SCHEMA_TOO_NEW`, `SCHEMA_NOT_APPLIED`,
 * `STORE_FAILED`
 *
 * @example
 * ```ts
 * import { sqliteStore } from "@hebra/thread/store/sqlite";
 *
 * const store = await sqliteStore({ path: ":memory:" });
 * console.log(store.scope); // host
 * await store.close();
 * ```
 */
export async function sqliteStore(options: SqliteStoreOptions): Promise<ThreadStore> {
  const {
    path,
    synchronous,
    driver,
    migrations,
    busyMs,
    clock = systemClock,
  } = parseOptions("sqliteStore", schema, options);
  const database = typeof driver === "string" ? await openSqlite(driver, path ?? ":memory:") : connection(driver);
  try {
    await patiently(() => prepareFile(database, synchronous), clock, busyMs);
    await patiently(() => migrate(database, migrations, clock.now()), clock, busyMs);
  } catch (error) {
    if (typeof driver === "string") database.close();
    throw error;
  }
  const ops = createOps(database);
  const watch = createWatch(database, clock);
  const perform = <T>(verb: Verb<T>) => {
    const { value, news } = runSync(verb, ops);
    return { value, landed: () => news.forEach((at) => watch.notify(at.tenant, at.contextId)) };
  };
  const writer = createWriter(database, perform, clock, busyMs, watchFile(database));
  return createTableStore({
    name: "sqlite",
    scope: "host",
    read: writer.read,
    snapshot: writer.read,
    write: writer.write,
    step: writer.write,
    watch: watch.watch,
    now: () => clock.now(),
    async close() {
      await writer.idle();
      watch.close();
      database.close();
    },
  });
}

function prepareFile(database: SqliteConnection, synchronous: "FULL" | "NORMAL"): void {
  database.exec("PRAGMA busy_timeout = 0");
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(`PRAGMA synchronous = ${synchronous}`);
}
