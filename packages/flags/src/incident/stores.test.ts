import { errorSignature } from "@hebra/core";
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Incident, IncidentStore } from "./incident.ts";
import { postgresIncidents } from "./postgres-incidents.ts";
import { sqliteIncidents } from "./sqlite-incidents.ts";
import { fileIncidents, memoryIncidents } from "./stores.ts";

const incident = (id: string, more: Partial<Incident> = {}): Incident => ({
  id,
  kind: "failed-turn",
  at: `2026-11-30T10:00:0${id.length}.000Z`,
  org: "acme",
  flag: "engine-v2",
  signature: errorSignature({ code: "TIMEOUT", message: "late" }, { component: "engine-v2" }),
  decision: { action: "__UNMATCHED__", matched: false, reason: "No rule." },
  versions: {},
  context: { n: 1 },
  runbook: null,
  ...more,
});

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "incidents-"))));
afterAll(() => rm(directory, { recursive: true }));

interface Opened {
  readonly store: IncidentStore;
  /** A second process on the same place; memory has none. */
  readonly other: IncidentStore;
  end(): Promise<void>;
}

const { DATABASE_URL } = process.env;
const schema = `incidents_${process.pid}`;
const backends: readonly (readonly [name: string, open: () => Opened, usable: boolean])[] = [
  [
    "memory",
    () => {
      const store = memoryIncidents();
      return { store, other: store, end: async () => undefined };
    },
    true,
  ],
  [
    "a file",
    () => {
      const path = join(directory, "incidents.jsonl");
      return { store: fileIncidents(path), other: fileIncidents(path), end: async () => undefined };
    },
    true,
  ],
  [
    "SQLite",
    () => {
      const path = join(directory, "incidents.sqlite");
      const [store, other] = [sqliteIncidents({ path }), sqliteIncidents({ path })];
      return { store, other, end: async () => void (await Promise.all([store.end(), other.end()])) };
    },
    true,
  ],
  [
    "PostgreSQL",
    () => {
      const options = { connectionString: DATABASE_URL!, schema };
      const [store, other] = [postgresIncidents(options), postgresIncidents(options)];
      return {
        store,
        other,
        async end() {
          await Promise.all([store.end(), other.end()]);
          const pool = new pg.Pool({ connectionString: DATABASE_URL! });
          await pool.query(`drop schema ${schema} cascade`);
          await pool.end();
        },
      };
    },
    DATABASE_URL !== undefined,
  ],
];

describe.each(backends)("incidents in %s", (_, open, usable) => {
  test.runIf(usable)("are kept once, found by every member of a query, and closed once", async () => {
    const { store, other, end } = open();
    const [a, bb] = [incident("a"), incident("bb", { kind: "rollback", org: "beta", postmortem: "# Draft" })];
    await Promise.all([store.write([a, bb]), other.write([bb, a])]);
    assert.deepEqual(await store.list(), [bb, a]);
    assert.deepEqual(await other.list({ kind: "rollback" }), [bb]);
    assert.deepEqual(await store.list({ org: "acme", flag: "engine-v2", code: "TIMEOUT", matched: false }), [a]);
    assert.deepEqual(await store.list({ since: bb.at, fingerprint: bb.signature.fingerprint }), [bb]);
    assert.deepEqual(await store.list({ matched: true }), []);
    assert.deepEqual(await store.list({ limit: 1 }), [bb]);
    assert.equal(await store.read("c"), undefined);
    assert.equal(await store.close("c", { at: a.at, by: "ana", reason: "r" }), undefined);

    const closing = { at: "2026-11-30T11:00:00.000Z", by: "ana", reason: "fixed", link: "https://x.example/1" };
    const closed = await Promise.all([store.close("a", closing), other.close("a", { ...closing, by: "bo" })]);
    assert.deepEqual(closed[0], closed[1]);
    assert.deepEqual(await store.list({ open: false }), [closed[0]]);
    assert.deepEqual(await other.list({ open: true }), [bb]);
    // A record that is written again opens nothing.
    await other.write([a]);
    assert.deepEqual(await store.read("a"), closed[0]);
    await end();
  });
});

test("200 incidents of two processes on one file are all kept, also after a torn line", async () => {
  const path = join(directory, "shared.jsonl");
  const stores = [fileIncidents(path), fileIncidents(path)] as const;
  await stores[0].write([incident("first")]);
  await appendFile(path, '{"id":"torn');
  await Promise.all(Array.from({ length: 200 }, (_, at) => stores[at % 2]!.write([incident(`n${at}`)])));
  assert.equal((await stores[0].list({ limit: 1_000 })).length, 201);
});
