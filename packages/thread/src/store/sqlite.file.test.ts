import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManualClock } from "@hebra/core";
import libsql from "libsql";
import { afterAll, describe, expect, it } from "vitest";
import { beginRunning, ending, events, partRow, playTurn, T0, turnIds } from "./contract/rows.ts";
import { rejects } from "./contract/scenario.ts";
import { migrationsFor } from "./sql/ddl.ts";
import { openSqlite, type SqliteConnection, type SqliteInstance } from "./sqlite/driver.ts";
import { migrate, sqliteMigrations } from "./sqlite/migrations.ts";
import { sqliteDdl } from "./sqlite/statements.ts";
import { sqliteStore } from "./sqlite.ts";
import { table, type Table } from "./table.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-file-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = () => join(directory, `${++files}.db`);
const ids = turnIds("award_42", "m1");
const value = (database: SqliteConnection, sql: string) => database.prepare(sql).all([])[0]?.[0];

/**
 * How many transactions a write-ahead log holds: frames that name a database size end one
 * (https://www.sqlite.org/walformat.html).
 */
function walCommits(path: string): number {
  const log = readFileSync(`${path}-wal`);
  const pageSize = log.readUInt32BE(8);
  const salt = log.readBigUInt64BE(16);
  let commits = 0;
  for (let at = 32; at + 24 + pageSize <= log.length && log.readBigUInt64BE(at + 8) === salt; at += 24 + pageSize) {
    if (log.readUInt32BE(at + 4) !== 0) commits++;
  }
  return commits;
}

describe("a SQLite file", () => {
  it("says so when somebody has removed a thread's row by hand", async () => {
    const path = newPath();
    const store = await sqliteStore({ path });
    await playTurn(store, "default", ids, 0);
    new libsql(path).exec("DELETE FROM thread_threads");
    await expect(store.export("default", ids.contextId)).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringContaining("rows were removed by other means") as string,
    });
    await store.close();
  });

  it("is in WAL mode, synchronised as asked", async () => {
    for (const [synchronous, level] of [
      ["FULL", 2],
      ["NORMAL", 1],
    ] as const) {
      const driver = new libsql(newPath()) as unknown as SqliteInstance;
      const store = await sqliteStore({ driver, synchronous });
      const pragma = (name: string) =>
        (driver.prepare(`PRAGMA ${name}`) as { raw(): { get(): unknown[] } }).raw().get()[0];
      expect([pragma("journal_mode"), pragma("synchronous"), pragma("busy_timeout")]).toEqual(["wal", level, 0]);
      await playTurn(store, "t", ids, 0);
      await store.close();
    }
  });

  it("takes the writes of one turn of the loop in one transaction, and a refused one takes no other with it", async () => {
    const path = newPath();
    const store = await sqliteStore({ path });
    const watcher = await openSqlite("libsql", path);
    const turns = Array.from({ length: 30 }, (_, i) => turnIds(`k${i}`, "m1"));
    await Promise.all(turns.map((turn) => store.begin("t", beginRunning("t", turn, { fence: 1, expectedSeq: 0 }))));
    const before = walCommits(path);
    const all = Promise.allSettled(
      turns.map((turn, i) => {
        const bad = i % 10 === 3;
        const parts = [
          partRow(turn, 0, "fine"),
          { ...partRow(turn, 1, "x"), ...(bad && { content: { kind: "text" as const, text: "\ud800" } }) },
        ];
        const stale = i % 10 === 7 ? 5 : 2;
        return store.commit(
          "t",
          turn.contextId,
          { fence: 1, expectedSeq: stale },
          { context: { updatedAt: T0 }, parts, events: events("t", turn, stale, "part-created") },
        );
      }),
    );
    const results = await all;
    expect(results.map((one) => one.status === "fulfilled")).toEqual(turns.map((_, i) => i % 10 !== 3 && i % 10 !== 7));
    expect(value(watcher, "SELECT count(*) FROM thread_parts")).toBe(48);
    expect(value(watcher, "SELECT count(*) FROM thread_journal")).toBe(30 + 24);
    expect(walCommits(path) - before).toBe(1);
    watcher.close();
    await store.close();
  });

  it("waits for another process without blocking, and gives up in time", async () => {
    const path = newPath();
    const clock = createManualClock();
    const store = await sqliteStore({ path, clock, busyMs: 1_000 });
    const other = await openSqlite("libsql", path);
    other.exec("BEGIN IMMEDIATE");
    const write = store.begin("t", beginRunning("t", ids, { fence: 1, expectedSeq: 0 }));
    await clock.advance(500);
    other.exec("ROLLBACK");
    await clock.advance(100);
    expect((await write).seq).toBe(2);
    other.exec("BEGIN IMMEDIATE");
    const late = rejects(
      store.commit("t", ids.contextId, { fence: 1, expectedSeq: 2 }, ending("t", ids, 2, 2)),
      "STORE_BUSY",
    );
    await clock.advance(1_200);
    expect((await late).retryable).toBe(true);
    other.exec("ROLLBACK");
    await store.commit("t", ids.contextId, { fence: 1, expectedSeq: 2 }, ending("t", ids, 2, 2));
    other.close();
    await store.close();
  });

  it("finishes what was asked for before it closes", async () => {
    const path = newPath();
    const store = await sqliteStore({ path });
    const write = playTurn(store, "t", ids, 0).catch((error: unknown) => error);
    const begun = store.begin("t", beginRunning("t", turnIds("other", "m1"), { fence: 1, expectedSeq: 0 }));
    await store.close();
    expect((await begun).seq).toBe(2);
    await write;
    const again = await sqliteStore({ path });
    expect((await again.load("t", { key: "other" }))?.context.seq).toBe(2);
    await again.close();
  });

  it("is refused when it must be migrated and may not, and when it is too new", async () => {
    const path = newPath();
    await rejects(sqliteStore({ path, migrations: "manual" }), "SCHEMA_NOT_APPLIED");
    await (await sqliteStore({ path })).close();
    await (await sqliteStore({ path, migrations: "manual" })).close();
    const database = await openSqlite("libsql", path);
    const newest = sqliteMigrations.at(-1)!.version;
    // A later build that only added something: this one goes on.
    database.exec(`INSERT INTO thread_schema VALUES (${newest + 1}, ${newest}, 0)`);
    await (await sqliteStore({ path })).close();
    database.exec(`INSERT INTO thread_schema VALUES (${newest + 2}, ${newest + 2}, 0)`);
    await rejects(sqliteStore({ path }), "SCHEMA_TOO_NEW");
    database.close();
  });

  it("is shared by two builds, one schema version apart", async () => {
    const path = newPath();
    const old = await sqliteStore({ path });
    await playTurn(old, "t", ids, 0);
    const extended = table<{ v: number; id: string; mood: string | null }>(
      "thread_extra",
      { v: "int", id: "id", mood: "text?" },
      { key: ["id"], since: { mood: 2 } },
    ) as Table<object>;
    const database = await openSqlite("libsql", path);
    const next = sqliteMigrations.at(-1)!.version + 1;
    const [first] = migrationsFor([extended], sqliteDdl, 1);
    assert.ok(first !== undefined);
    const statements = ["ALTER TABLE thread_extra ADD COLUMN mood TEXT"];
    for (const statement of first.statements) database.exec(statement);
    migrate(database, "automatic", T0, [...sqliteMigrations, { statements, version: next, compatibleFrom: next - 1 }]);
    database.exec("ALTER TABLE thread_parts ADD COLUMN mood TEXT");
    database.exec("UPDATE thread_parts SET mood = 'glad'");
    // The older build reads and writes on, and leaves alone what it does not know.
    await old.commit(
      "t",
      ids.contextId,
      { fence: 1, expectedSeq: 4 },
      { context: { updatedAt: T0 }, parts: [partRow(ids, 0, "changed")], events: [] },
    );
    expect((await old.history("t", ids.contextId, { items: 9 }))[1]!.parts[0]!.content).toEqual({
      kind: "text",
      text: "changed",
    });
    expect(value(database, "SELECT mood FROM thread_parts")).toBe("glad");
    expect(value(database, "SELECT count(*) FROM pragma_table_info('thread_extra') WHERE name = 'mood'")).toBe(1);
    database.close();
    await old.close();
  });

  it("refuses options that mean nothing", async () => {
    await rejects(sqliteStore({ path: newPath(), syncronous: "FULL" } as never), "INVALID_OPTIONS");
    await rejects(sqliteStore({ driver: {} as never }), "INVALID_OPTIONS");
    await rejects(sqliteStore({ path: join(directory, "no", "such", "folder", "x.db") }), "STORE_FAILED");
  });
});
