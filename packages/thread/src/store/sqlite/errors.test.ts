import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import libsql from "libsql";
import { afterAll, describe, expect, test } from "vitest";
import { beginQueued, playTurn, turnIds } from "../contract/rows.ts";
import { openStore, parseRuntimeConfig } from "../../runtime/config.ts";
import { sqliteStore } from "../sqlite.ts";
import type { SqliteInstance } from "./driver.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-sqlite-errors-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = () => join(directory, `${++files}.db`);
const ids = turnIds("award_42", "m1");

async function caught(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Each brings about one fault of a real file. */
const faults: Record<string, { says: RegExp; code: string; retryable: boolean; work: () => Promise<unknown> }> = {
  "a file that is no database": {
    says: /no SQLite database/,
    code: "STORE_FAILED",
    retryable: false,
    work: () => {
      const path = newPath();
      writeFileSync(path, "Minutes of the meeting of the third of May. ".repeat(40));
      return sqliteStore({ path });
    },
  },
  "a directory that is not there": {
    says: /could not open the file/,
    code: "STORE_FAILED",
    retryable: false,
    work: () => sqliteStore({ path: join(directory, "no", "such", "x.db") }),
  },
  "a directory in place of a file": {
    says: /could not open the file/,
    code: "STORE_FAILED",
    retryable: false,
    work: () => sqliteStore({ path: directory }),
  },
  "a table of the store's name that is another's": {
    says: /not the store's/,
    code: "STORE_FAILED",
    retryable: false,
    work: () => {
      const path = newPath();
      new libsql(path).exec("CREATE TABLE thread_items (id TEXT)");
      return sqliteStore({ path });
    },
  },
  "a version table that is another's": {
    says: /not the store's/,
    code: "STORE_FAILED",
    retryable: false,
    work: () => {
      const path = newPath();
      new libsql(path).exec("CREATE TABLE thread_schema (name TEXT)");
      return sqliteStore({ path });
    },
  },
  "a database that may only be read": {
    says: /read-only/,
    code: "STORE_FAILED",
    retryable: false,
    work: async () => {
      const driver = new libsql(newPath()) as unknown as SqliteInstance;
      const store = await sqliteStore({ driver });
      driver.exec("PRAGMA query_only = ON");
      await store.begin("t", beginQueued(ids));
    },
  },
  "a file that may grow no further": {
    says: /disk of the SQLite file is full/,
    code: "STORE_FAILED",
    retryable: true,
    work: async () => {
      const driver = new libsql(newPath()) as unknown as SqliteInstance;
      const store = await sqliteStore({ driver });
      driver.exec("PRAGMA max_page_count = 1");
      for (let i = 0; i < 500; i++) await store.begin("t", beginQueued(turnIds(`key-${i}`, "m1")));
    },
  },
  "tables that somebody dropped": {
    says: /Apply its migrations/,
    code: "SCHEMA_NOT_APPLIED",
    retryable: false,
    work: async () => {
      const path = newPath();
      const store = await sqliteStore({ path });
      new libsql(path).exec("DROP TABLE thread_threads");
      await store.begin("t", beginQueued(ids));
    },
  },
  "a write that another process makes for longer than busyMs": {
    says: /kept the SQLite file busy/,
    code: "STORE_BUSY",
    retryable: true,
    work: async () => {
      const path = newPath();
      const store = await sqliteStore({ path, busyMs: 100 });
      new libsql(path).exec("BEGIN IMMEDIATE");
      await store.begin("t", beginQueued(ids));
    },
  },
  "a connection that its host has closed": {
    says: /was closed before the store/,
    code: "CLOSED",
    retryable: false,
    work: async () => {
      const driver = new libsql(newPath()) as unknown as SqliteInstance;
      const store = await sqliteStore({ driver });
      driver.close();
      await store.begin("t", beginQueued(ids));
    },
  },
};

describe("a fault of SQLite", () => {
  for (const [fault, { says, code, retryable, work }] of Object.entries(faults)) {
    test(`${fault} is ${code}, ${retryable ? "worth repeating" : "permanent"} [EN-11]`, async () => {
      const error = await caught(work);
      expect(error).toBeInstanceOf(HebraError);
      expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) as string });
    });
  }
});

describe("a SQLite file", () => {
  test("that is deleted or replaced in use makes every later call fail, and none is acknowledged [EN-16]", async () => {
    for (const lose of [
      (path: string) => rmSync(path),
      (path: string) => {
        rmSync(path);
        writeFileSync(path, "");
      },
      (path: string) => renameSync(path, `${path}.away`),
    ]) {
      const path = newPath();
      const store = await sqliteStore({ path });
      await playTurn(store, "t", ids, 0);
      lose(path);
      const gone = {
        code: "STORE_FAILED",
        retryable: false,
        message: expect.stringMatching(/deleted or replaced/) as string,
      };
      await expect(store.begin("t", beginQueued(turnIds("award_42", "m2")))).rejects.toMatchObject(gone);
      await expect(store.load("t", { key: "award_42" })).rejects.toMatchObject(gone);
      await store.close();
    }
  });

  test("that is made here is its user's alone, with the log and shared memory beside it [SE-11]", async () => {
    const umask = process.umask(0o022);
    try {
      const path = newPath();
      const store = await sqliteStore({ path });
      await playTurn(store, "t", ids, 0);
      for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
      await store.close();
      const folder = join(directory, ".hebra");
      const settings = parseRuntimeConfig({ store: { path: join(folder, "threads.sqlite") } }).store;
      await (await openStore(settings)).close();
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    } finally {
      process.umask(umask);
    }
  });
});
