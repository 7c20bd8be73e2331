import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { errorCode, systemClock, type Clock } from "@hebra/core";
import type { LockManager, LockManagerOptions } from "@hebra/lock";
import { lockContract, type LockContractHarness } from "@hebra/lock/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import { postgresMigrations, postgresStore } from "./postgres.ts";
import { redisStore } from "./redis.ts";
import { sqliteStore } from "./sqlite.ts";
import type { ThreadStore } from "./store.ts";

const PATIENCE = 120_000;

/** The system's clock, of which the timers can be held back, as when a process is stopped. */
function stoppable(): { clock: Clock; stop(): void; go(): void } {
  let stopped = false;
  const due: (() => void)[] = [];
  const after: Clock["after"] = (ms, callback) => {
    let cancelled = false;
    const fire = () => void (cancelled || callback());
    const cancel = systemClock.after(ms, () => (stopped ? void due.push(fire) : fire()));
    return () => {
      cancelled = true;
      cancel();
    };
  };
  const go = () => {
    stopped = false;
    for (const fire of due.splice(0)) fire();
  };
  return { clock: { ...systemClock, after }, stop: () => void (stopped = true), go };
}

/** Each participant has a store of its own over the same data, as a process would. */
function fulfils(
  name: string,
  skip: boolean,
  open: () => Promise<ThreadStore>,
  prepare?: { before(): Promise<void>; after(): Promise<void> },
): void {
  describe.skipIf(skip)(`storeLocks over ${name}`, () => {
    const opened: { locks: LockManager; store: ThreadStore }[] = [];
    if (prepare !== undefined) beforeAll(prepare.before, PATIENCE);
    afterAll(async () => {
      for (const { locks } of opened) await locks.close();
      for (const { store } of opened) await store.close();
      await prepare?.after();
    }, PATIENCE);
    const harness: LockContractHarness = {
      ttlMs: 3_000,
      async connect(options?: LockManagerOptions) {
        const { clock, stop, go } = stoppable();
        const store = await open();
        // So that the first request does not have to wait for a connection.
        await store.load("default", { key: "nobody" });
        const locks = storeLocks(store, { clock, pollMs: 300, ...options });
        opened.push({ locks, store });
        return { locks, freeze: stop, thaw: go };
      },
      // A request takes several statements: on a busy machine, longer than the contract allows for one.
      elapse: (ms) => pause(ms + 200),
    };
    for (const [title, clause] of Object.entries(lockContract)) it.concurrent(title, () => clause(harness), PATIENCE);
  });
}

const directory = mkdtempSync(join(tmpdir(), "hebra-locks-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
fulfils("SQLite", false, () => sqliteStore({ path: join(directory, "locks.db"), synchronous: "NORMAL" }));

const connectionString = process.env["DATABASE_URL"];
const schema = `locks_${process.pid}`;
fulfils(
  "PostgreSQL",
  connectionString === undefined,
  () => postgresStore({ connectionString: connectionString!, poolSize: 4, schema }),
  {
    async before() {
      const migrations = await postgresMigrations({ connectionString: connectionString!, schema });
      await migrations.apply();
      await migrations.close();
    },
    async after() {
      const { default: pg } = await import("pg");
      const pool = new pg.Pool({ connectionString });
      await pool.query(`DROP SCHEMA ${schema} CASCADE`);
      await pool.end();
    },
  },
);

const url = process.env["REDIS_URL"];
const namespace = `locks-${process.pid}`;
fulfils("Redis", url === undefined, () => redisStore({ url: url!, namespace }), {
  before: async () => undefined,
  async after() {
    const { Redis } = await import("ioredis");
    const client = new Redis(url!);
    for (const name of await client.keys(`${namespace}:*`)) await client.unlink(name);
    client.disconnect();
  },
});

describe("storeLocks", () => {
  it("guard a context: an older lease's write is refused by the store", async () => {
    const store = memoryStore();
    const locks = storeLocks(store);
    const first = await locks.acquire("acme/a");
    await first.release();
    const second = await locks.acquire("acme/a");
    expect(second.fence).toBeGreaterThan(first.fence);
    await locks.close();
  });

  it("need a store that keeps leases", () => {
    const { leases: _leases, ...without } = memoryStore();
    expect(() => storeLocks(without)).toThrowError(expect.objectContaining({ code: "UNSUPPORTED" }));
  });

  it("do not outlive their store", async () => {
    const store = memoryStore();
    const locks = storeLocks(store);
    await store.close();
    const error: unknown = await locks.acquire("acme/a").catch((caught: unknown) => caught);
    expect(errorCode(error)).toBe("CLOSED");
  });
});
