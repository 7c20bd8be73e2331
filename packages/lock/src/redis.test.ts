import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, test, vi } from "vitest";
import { lockContract, type LockContractHarness } from "./lock.contract.ts";
import type { LockManager } from "./lock.ts";
import { redisLocks, type RedisLocksOptions } from "./redis.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

vi.setConfig({ testTimeout: 20_000, hookTimeout: 30_000 });

if (withoutRedisServer !== undefined) console.warn(`skipped: ${withoutRedisServer}`);

describe.skipIf(withoutRedisServer !== undefined)("redisLocks", () => {
  let server: TestRedis;
  const opened: LockManager[] = [];
  const open = (options: Partial<RedisLocksOptions> = {}) => {
    const locks = redisLocks({ url: server.url, ...options });
    opened.push(locks);
    return locks;
  };
  const harness = (): LockContractHarness => ({
    ttlMs: 600,
    async connect(options) {
      const { clock, freeze, thaw } = freezableClock(systemClock);
      return { locks: open({ clock, ...options }), freeze, thaw };
    },
    elapse: (ms) => pause(ms),
  });

  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((locks) => locks.close()));
    for (const key of await server.admin.keys("*")) {
      assert.match(key, /^\w+:lock:\{[^{}]+\}$/, "no line and no signs of life stay behind");
      assert.deepEqual((await server.admin.hkeys(key)).sort(), ["fence", "kept"], `${key} is free`);
      const ttl = await server.admin.ttl(key);
      assert.ok(ttl > 82_700 && ttl <= 86_400, `${key} expires in ${ttl} s`);
    }
    assert.equal((await server.admin.pubsub("CHANNELS", "*")).length, 0, "nobody listens any more");
  });

  describe("fulfils the contract", () => {
    for (const [title, clause] of Object.entries(lockContract)) test(title, () => clause(harness()));
  });

  test("a key reads as its namespace, tenant and session, percent-encoded, under one hash tag", async () => {
    const lease = await open({ namespace: "shop" }).acquire("acme/telegram:4 2}");
    assert.deepEqual(await server.admin.keys("*acme/telegram*"), ["shop:lock:{acme/telegram:4%202%7D}"]);
    assert.equal(await server.admin.hget("shop:lock:{acme/telegram:4%202%7D}", "fence"), String(lease.fence));
    await lease.release();
  });

  test("an uncontended pair is two requests, on one connection", async () => {
    const locks = open();
    await (await locks.acquire("warm")).release();
    const before = await calls();
    for (let i = 0; i < 10; i++) await (await locks.acquire("warm")).release();
    assert.equal((await calls()) - before, 20);
    const clients = (await server.admin.client("LIST")) as string;
    assert.equal(clients.trim().split("\n").length, 2, "one besides the test's own");
  });

  async function calls(): Promise<number> {
    const stats = await server.admin.info("commandstats");
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }

  test("fifty waiters on one key from five processes' worth of managers: in order, without polling storms", async () => {
    const managers = Array.from({ length: 5 }, () => open());
    // Connected first, so that requests arrive in the order in which they are made.
    for (const [i, locks] of managers.entries()) await (await locks.acquire(`warm-${i}`)).release();
    const first = await managers[0]!.acquire("hot");
    const order: number[] = [];
    const turns = [];
    for (let i = 0; i < 50; i++) {
      turns.push(
        managers[i % 5]!.acquire("hot").then(async (lease) => {
          order.push(i);
          await lease.release();
        }),
      );
      await eventually(async () => (await server.admin.zcard("hebra:lock:{hot}:line")) === i + 1, "it stands in line");
    }
    const before = await calls();
    const start = performance.now();
    await first.release();
    await Promise.all(turns);
    const took = performance.now() - start;
    assert.deepEqual(
      order,
      Array.from({ length: 50 }, (_, i) => i),
    );
    // A release and a confirmation each, and the polls of what seconds it took.
    const limit = 50 * 3 + (50 * took) / 500;
    assert.ok((await calls()) - before <= limit, `${(await calls()) - before} requests, limit ${limit}`);
    assert.ok(took < 2000, `${took} ms: served by messages, not by polls`);
  });

  test("fifty keys under contention: each key's turns are shared evenly among its takers", async () => {
    const managers = Array.from({ length: 4 }, () => open());
    const served = new Map<string, number[]>();
    const holders = new Map<string, number>();
    const end = performance.now() + 1000;
    await Promise.all(
      managers.flatMap((locks, taker) =>
        Array.from({ length: 50 }, async (_, k) => {
          const key = `even-${k}`;
          while (performance.now() < end) {
            const lease = await locks.acquire(key);
            assert.equal(holders.get(key), undefined, "two held it at once");
            holders.set(key, taker);
            const counts = served.get(key) ?? [0, 0, 0, 0];
            counts[taker]!++;
            served.set(key, counts);
            await pause(1);
            holders.delete(key);
            await lease.release();
          }
        }),
      ),
    );
    for (const [key, counts] of served) {
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 3, `${key} went to its takers ${counts.join(", ")} times`);
    }
  });

  test("a waiter that died is passed over, and one served in its last moment holds nothing for long", async () => {
    const holder = open();
    const crashing = freezableClock(systemClock);
    const [dead, alive] = [open({ clock: crashing.clock, pollMs: 100 }), open({ pollMs: 100 })];
    const lease = await holder.acquire("crash");
    const abandoned = dead.acquire("crash", { ttlMs: 60_000 });
    abandoned.catch(() => {});
    await pause(50);
    const next = alive.acquire("crash");
    await pause(50);
    crashing.freeze();
    await pause(400);
    const start = performance.now();
    await lease.release();
    await (await next).release();
    assert.ok(performance.now() - start < 150, "the dead one's signs of life had stopped");
    crashing.thaw();
    await (await abandoned).release();
  });

  test("options: exactly one way to the server, and no braces in the namespace", () => {
    assert.throws(() => redisLocks({}), { code: "INVALID_OPTIONS", message: /exactly one of/ });
    assert.throws(() => redisLocks({ url: "redis://x", connection: {} }), { code: "INVALID_OPTIONS" });
    assert.throws(() => redisLocks({ url: "redis://x", namespace: "{a}" }), { code: "INVALID_OPTIONS" });
    assert.throws(() => redisLocks({ url: "http://x" }), { code: "INVALID_OPTIONS" });
  });

  test("a client that was passed stays open", async () => {
    const locks = open({ url: undefined as never, client: server.admin });
    const lease = await locks.acquire("own-client");
    await assert.rejects(locks.acquire("own-client", { waitMs: 50 }), { code: "LOCK_TIMEOUT" });
    await lease.release();
    await locks.close();
    assert.equal(await server.admin.ping(), "PONG");
  });
});
