import assert from "node:assert/strict";
import { eventually } from "@hebra/test-servers/eventually";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "vitest";
import type { LockManager } from "./lock.ts";
import { redisLocks, type RedisLocksOptions } from "./redis.ts";

describe.skipIf(withoutRedisServer !== undefined)("outages that keep sockets open", { timeout: 60_000 }, () => {
  let server: TestRedis;
  let next: TestRedis;
  let proxy: TestProxy;
  const opened: LockManager[] = [];
  beforeAll(async () => {
    [server, next] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(() => Promise.all([server.stop(), next.stop()]));
  beforeEach(async () => void (proxy = await startProxy(server.port)));
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((locks) => locks.close()));
    await proxy.stop();
    await server.admin.replicaof("NO", "ONE");
  });
  const open = (options: Partial<RedisLocksOptions> = {}) => {
    const locks = redisLocks({ url: proxy.url, ...options });
    opened.push(locks);
    return locks;
  };
  const acquireEventually = async (locks: LockManager, key: string) => {
    for (;;) {
      try {
        return await locks.acquire(key, { waitMs: 0 });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };

  for (const requestTimeoutMs of [1_000, 60_000])
    test(`connections that fall silent are replaced within 10 s, with requests of ${requestTimeoutMs} ms [BU-2]`, async () => {
      const locks = open({ requestTimeoutMs });
      await (await locks.acquire("a")).release();
      proxy.silence();
      const silentAt = performance.now();
      const lease = await acquireEventually(locks, "b");
      const tookMs = performance.now() - silentAt;
      assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
      await lease.release();
    });

  test("one who waits is served over the silence of its connections [BU-2]", async () => {
    const locks = open({ requestTimeoutMs: 1_000, pollMs: 200 });
    const held = await redisLocksDirect().acquire("hot");
    const waiting = locks.acquire("hot", { waitMs: 20_000, ttlMs: 20_000 });
    await eventually(async () => (await server.admin.exists("hebra:lock:{hot}:line")) === 1, "it stands in line");
    proxy.silence();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await held.release();
    await (await waiting).release();
  });
  const redisLocksDirect = () => {
    const locks = redisLocks({ url: server.url });
    opened.push(locks);
    return locks;
  };

  test("after a switch-over locks leave the demoted server within 2 s, with a url alone [BU-3]", async () => {
    const locks = open();
    await (await locks.acquire("a")).release();
    proxy.pointAt(next.port);
    await server.admin.replicaof("127.0.0.1", next.port);
    const switchedAt = performance.now();
    await (await locks.acquire("b")).release();
    const tookMs = performance.now() - switchedAt;
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
    assert.equal(await next.admin.exists("hebra:lock:{b}"), 1);
  });
});
