import assert from "node:assert/strict";
import { redisLocks } from "@hebra/lock/redis";
import { eventually } from "@hebra/test-servers/eventually";
import { startProxy } from "@hebra/test-servers/proxy";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterEach, beforeEach, describe, test } from "vitest";
import type { Delivery } from "./bus.ts";
import { redisBus, type RedisBus, type RedisBusOptions } from "./redis.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("a server without memory", { timeout: 60_000 }, () => {
  let server: TestRedis;
  const buses: RedisBus[] = [];
  beforeEach(async () => void (server = await startRedis(["--maxmemory-policy", "noeviction"])));
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await server.stop();
  });
  const open = (options: Partial<RedisBusOptions> = {}) => {
    const bus = redisBus({ url: server.url, namespace: freshNamespace(), leaseMs: 1_500, ...options });
    buses.push(bus);
    return bus;
  };
  const fillUp = () => server.admin.config("SET", "maxmemory", "1mb");
  const next = async (consumer: AsyncIterator<Delivery>) => (await consumer.next()).value as Delivery;

  test("leases are kept, acked, failed and claimed without memory, and publishing alone is refused [BU-5]", async () => {
    const bus = open({ retry: { baseMs: 10, capMs: 10 } });
    const sessions = ["a", "b", "c", "d", "e"];
    await bus.publishInbound(sessions.map((session) => ({ session, id: session, payload: "x".repeat(1_000) })));
    const consumer = bus.consumeInbound({ concurrency: 3 });
    const held = [await next(consumer), await next(consumer), await next(consumer)];
    await fillUp();
    await assert.rejects(bus.publishInbound({ session: "f", payload: 1 }), { code: "SERVER_REFUSED" });
    assert.equal(bus.health().ready, true, "what is under way goes on");
    // Longer than a lease: it is renewed meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    for (const delivery of held) {
      assert.equal(delivery.signal.aborted, false);
      await delivery.extend();
    }
    await held[0]!.ack({ outbound: [{ gatewayId: "g", id: "r", payload: "done" }] });
    await held[1]!.nack({ error: new Error("again") });
    await held[2]!.release();
    const done = new Set([held[0]!.session]);
    while (done.size < sessions.length) {
      const delivery = await next(consumer);
      done.add(delivery.session);
      await delivery.ack();
    }
    assert.equal((await bus.stats()).inbound.depth, 0);
    await server.admin.config("SET", "maxmemory", "0");
    await bus.publishInbound({ session: "f", payload: 1 });
  });

  test("the leases of a process that died without memory pass on [BU-5]", async () => {
    const namespace = freshNamespace();
    const bus = open({ namespace });
    await bus.publishInbound({ session: "a", payload: 1 });
    // Its connections end, and it cannot connect again: to the server it is dead.
    const proxy = await startProxy(server.port);
    const gone = open({ namespace, url: proxy.url });
    await next(gone.consumeInbound());
    await fillUp();
    const consumer = bus.consumeInbound();
    await proxy.stop();
    await (await next(consumer)).ack();
    await eventually(async () => (await bus.stats()).inbound.depth === 0, "the message is handled");
  });

  test("locks are taken, renewed and given back without memory [BU-5]", async () => {
    const locks = redisLocks({ url: server.url, ttlMs: 500 });
    const held = await locks.acquire("a");
    await fillUp();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(held.signal.aborted, false);
    await held.extend();
    const waiting = locks.acquire("a");
    await held.release();
    await (await waiting).release();
    await locks.close();
  });
});
