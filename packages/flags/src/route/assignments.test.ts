import { everyWrite, startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import { staticProvider } from "../provider/static.ts";
import { assignmentContract, type AssignmentContractHarness } from "./assignment.contract.ts";
import { createRouter } from "./create-router.ts";
import { memoryAssignments } from "./memory-assignments.ts";
import { postgresAssignments } from "./postgres-assignments.ts";
import { redisAssignments } from "./redis-assignments.ts";
import { threadAssignments, type ThreadStoreLike } from "./thread-assignments.ts";

const databaseUrl = process.env["DATABASE_URL"];
if (withoutRedisServer !== undefined) console.warn(`skipped: ${withoutRedisServer}`);
if (databaseUrl === undefined) console.warn("skipped: DATABASE_URL is not set");

let made = 0;
const opened: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(store: T): T => {
  opened.push(store);
  return store;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

function fulfils(harness: () => AssignmentContractHarness): void {
  for (const [title, clause] of Object.entries(assignmentContract)) test(title, () => clause(harness()));
}

describe("memoryAssignments fulfils the contract", () => {
  fulfils(() => {
    const store = memoryAssignments();
    return { store, reopen: async () => store };
  });

  test("forgets the oldest beyond its limit", async () => {
    const store = memoryAssignments({ maxEntries: 2 });
    const write = (session: string, revision = 1) =>
      store.write({
        flag: "f",
        session,
        mode: "legacy",
        arm: undefined,
        flagVersion: 1,
        startedAt: 1,
        lastSeenAt: 1,
        newSince: undefined,
        servedByLegacy: true,
        ended: false,
        revision,
      });
    await write("a");
    await write("b");
    await write("a", 2);
    await write("c");
    expect([await store.read("f", "a"), await store.read("f", "b")].map((found) => found?.session)).toEqual([
      "a",
      undefined,
    ]);
  });
});

describe.skipIf(withoutRedisServer !== undefined)("redisAssignments fulfils the contract", () => {
  let server: TestRedis;
  beforeAll(async () => void (server = await startRedis(everyWrite)));
  afterAll(() => server.stop());
  const open = (namespace: string) => keep(redisAssignments({ url: server.url, namespace, commandTimeoutMs: 5_000 }));
  fulfils(() => {
    const namespace = `a${++made}`;
    return { store: open(namespace), reopen: async () => open(namespace) };
  });

  test("keeps an assignment for its time, from the last write on", async () => {
    const store = keep(redisAssignments({ url: server.url, namespace: "ttl", retainMs: 60_000 }));
    await store.write({
      flag: "f",
      session: "s",
      mode: "new",
      arm: "new",
      flagVersion: 1,
      startedAt: 1,
      lastSeenAt: 1,
      newSince: 1,
      servedByLegacy: false,
      ended: false,
      revision: 1,
    });
    const [key] = await server.admin.keys("ttl:*");
    const ttl = await server.admin.pttl(key!);
    expect(ttl).toBeGreaterThan(55_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  test("says that it is out of reach", async () => {
    const store = keep(redisAssignments({ url: "redis://127.0.0.1:1", commandTimeoutMs: 200 }));
    await expect(store.read("f", "s")).rejects.toMatchObject({ code: "UNREACHABLE", retryable: true });
  });
});

describe.skipIf(databaseUrl === undefined)("postgresAssignments fulfils the contract", () => {
  const schemas: string[] = [];
  afterAll(async () => {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    for (const schema of schemas) await client.query(`drop schema if exists ${schema} cascade`);
    await client.end();
  });
  const open = (schema: string) => keep(postgresAssignments({ connectionString: databaseUrl!, schema }));
  fulfils(() => {
    const schema = `assignments_${process.pid}_${++made}`;
    schemas.push(schema);
    return { store: open(schema), reopen: async () => open(schema) };
  });

  test("says that it is out of reach", async () => {
    const store = keep(postgresAssignments({ connectionString: "postgres://127.0.0.1:1/x" }));
    await expect(store.read("f", "s")).rejects.toMatchObject({ code: "UNREACHABLE", retryable: true });
  });
});

describe("threadAssignments", () => {
  /** Rows as a thread store gives them; the store itself is another package's. */
  const storeOf = (
    items: { executionId: string | null; provenance: unknown }[],
    updatedAt = 1_000,
  ): ThreadStoreLike => ({
    load: async (_, { key }) =>
      key === "thread-s" ? { context: { id: "c1", updatedAt }, active: undefined } : undefined,
    history: async () => items.map((item) => ({ item })),
  });
  const options = { key: (session: string) => `thread-${session}` };

  describe("fulfils the contract, for what this process wrote", () => {
    fulfils(() => {
      const store = threadAssignments({ store: storeOf([]), ...options });
      return { store, reopen: async () => store };
    });
  });

  test("takes a newest turn of the engine's own for an assignment, and an imported one for none", async () => {
    const read = (items: { executionId: string | null; provenance: unknown }[]) =>
      threadAssignments({ store: storeOf(items), ...options }).read("f", "s");
    const [imported, own] = [
      { executionId: "e1", provenance: { source: "story" } },
      { executionId: "e2", provenance: null },
    ];
    expect(await read([imported, own])).toMatchObject({ mode: "new", newSince: 0, revision: 0, lastSeenAt: 1_000 });
    expect(await read([own, imported])).toBeUndefined();
    expect(await read([])).toBeUndefined();
    expect(await threadAssignments({ store: storeOf([own]) }).read("f", "s")).toBeUndefined();
  });

  test("keeps a session on the new engine over a restart, until a kill, which hands over", async () => {
    const source = staticProvider({ flags: {}, rollouts: { f: { version: 1, canary: { percent: 0 } } } });
    const flags = createFlags({ provider: source });
    const store = storeOf([{ executionId: "e2", provenance: null }], Date.now());
    const handovers: (number | undefined)[] = [];
    const turn = () =>
      createRouter({ flags, assignments: threadAssignments({ store, ...options }) }).route(
        "f",
        { session: "s" },
        {
          legacy: () => "legacy",
          next: () => "new",
          outcome: () => "ok",
          handover: ({ since }) => void handovers.push(since),
        },
      );
    expect(await turn()).toBe("new");
    source.set({
      flags: {},
      rollouts: { f: { version: 2, kill: { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" } } },
    });
    expect(await turn()).toBe("legacy");
    expect(handovers).toEqual([undefined]);
  });
});
