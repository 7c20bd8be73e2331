import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis, withoutRedisServer } from "@hebra/test-servers/redis";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { serveAdmin } from "../admin/admin.fixture.ts";
import { fileFlagDocuments, type FlagDocumentStore } from "../admin/documents.ts";
import { postgresFlagWriter } from "../provider/postgres/postgres-writer.ts";
import { redisFlagWriter } from "../provider/redis/redis-provider.ts";
import { changedDocument } from "./stored-document.ts";
import type { FlagDocument } from "./types.ts";

/** As flagd reads it: one good flag, one whose variants differ in type, and one rollout with a typing error. */
const targeting = { if: [{ sem_ver: [{ var: "version" }, ">=", "v1.0.0"] }, "new", "legacy"] };
const good = { state: "ENABLED", variants: { new: "new", legacy: "legacy" }, defaultVariant: "legacy", targeting };
const bad = { state: "ENABLED", variants: { a: "a", b: 2 }, defaultVariant: "a" };
const text = JSON.stringify({
  flags: { good, bad },
  rollouts: { good: { version: 1 }, typo: { version: 1, canery: { percent: 10 } } },
});

const directories: string[] = [];
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
  for (const directory of directories) await rm(directory, { recursive: true });
});

interface Place {
  readonly store: FlagDocumentStore;
  /** What is stored, as it stands. */
  raw(): Promise<FlagDocument>;
}

const { DATABASE_URL: connectionString = "" } = process.env;
const backends: readonly (readonly [name: string, usable: boolean, open: () => Promise<Place>])[] = [
  [
    "a file",
    true,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "stored-"));
      directories.push(directory);
      const path = join(directory, "flags.json");
      await writeFile(path, text);
      return {
        store: fileFlagDocuments(path),
        raw: async () => JSON.parse(await readFile(path, "utf8")) as FlagDocument,
      };
    },
  ],
  [
    "Redis",
    withoutRedisServer === undefined,
    async () => {
      const server = await startRedis();
      closing.push(() => server.stop());
      await server.admin.hset("hebra:flags", "document", text, "revision", "7");
      const store = redisFlagWriter({ url: server.url });
      closing.unshift(() => store.close());
      return {
        store,
        raw: async () => JSON.parse((await server.admin.hget("hebra:flags", "document"))!) as FlagDocument,
      };
    },
  ],
  [
    "PostgreSQL",
    connectionString !== "",
    async () => {
      const schema = `stored_${process.pid}`;
      const pool = new pg.Pool({ connectionString });
      const store = postgresFlagWriter({ connectionString, schema });
      await store.read();
      await pool.query(`insert into ${schema}.flag_documents values ('flags', 7, $1)`, [text]);
      closing.push(async () => {
        await store.close();
        await pool.query(`drop schema ${schema} cascade`);
        await pool.end();
      });
      return {
        store,
        async raw() {
          const { rows } = await pool.query<{ document: string }>(`select document from ${schema}.flag_documents`);
          return JSON.parse(rows[0]!.document) as FlagDocument;
        },
      };
    },
  ],
];

describe.each(backends)("a document in %s with flags that cannot be used", (_, usable, open) => {
  test.runIf(usable)(
    "is read as flagd reads it: a bad flag keeps no other from being killed, and is kept as it stands [FL-14]",
    async () => {
      const { store, raw } = await open();
      const admin = await serveAdmin({ documents: store });
      try {
        expect(Object.keys((await store.read()).rejected ?? {}).sort()).toEqual(["bad", "typo"]);
        const kill = (key: string) => admin.call("ana", "POST", `/v1/flags/${key}/kill`, { reason: "drill" });
        expect((await kill("good")).status).toBe(200);
        const after = await raw();
        expect(after.flags).toEqual({ good, bad });
        expect(after.rollouts?.["typo"]).toEqual({ version: 1, canery: { percent: 10 } });
        expect(after.rollouts?.["good"]?.kill).toMatchObject({ by: "ana" });
        // A flag that cannot be used is there all the same: its kill takes the place of its entry.
        expect((await kill("typo")).status).toBe(200);
        expect((await raw()).rollouts?.["typo"]).toMatchObject({ version: 1, kill: { reason: "drill" } });
        expect((await kill("tipo")).body).toMatchObject({ details: { suggestion: "typo" } });
        // What a write changes itself is checked in full.
        const answer = await admin.call(
          "ana",
          "PUT",
          "/v1/flags/good",
          { reason: "r", rollout: { canery: {} } },
          { "if-match": "*" },
        );
        expect(answer).toMatchObject({ status: 400, body: { code: "FLAG_INVALID" } });
      } finally {
        await admin.close();
      }
    },
  );
});

test("what is no flag document at all is a store that failed, and an entry that somebody removes is removed", () => {
  expect(() => changedDocument("[1]", { flags: {} })).toThrow(/no flag document/);
  expect(() => changedDocument("{", { flags: {} })).toThrow(/no flag document/);
  const next = changedDocument(text, { flags: {} });
  expect(Object.keys(next.flags)).toEqual(["bad"]);
  expect(Object.keys(next.rollouts ?? {})).toEqual(["typo"]);
});
