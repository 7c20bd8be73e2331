import assert from "node:assert/strict";
import { eventually } from "@hebra/test-servers/eventually";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "vitest";
import { redisBus, type RedisBus, type RedisBusOptions } from "./redis.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("outages that keep sockets open", { timeout: 60_000 }, () => {
  let server: TestRedis;
  let next: TestRedis;
  let proxy: TestProxy;
  const buses: RedisBus[] = [];
  beforeAll(async () => {
    [server, next] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(() => Promise.all([server.stop(), next.stop()]));
  beforeEach(async () => void (proxy = await startProxy(server.port)));
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await proxy.stop();
    await server.admin.replicaof("NO", "ONE");
  });
  const open = (options: Partial<RedisBusOptions> = {}) => {
    const bus = redisBus({ url: proxy.url, namespace: freshNamespace(), leaseMs: 2_000, ...options });
    buses.push(bus);
    return bus;
  };
  /** Handles everything; each message counts once. */
  const work = (bus: RedisBus, handled: Set<string>) =>
    void (async () => {
      for await (const delivery of bus.consumeInbound({ concurrency: 4 })) {
        for (const message of delivery.messages) handled.add(message.id);
        await delivery.ack().catch(() => undefined);
      }
    })();
  const publishUntilAccepted = async (bus: RedisBus, id: string) => {
    const startedAt = performance.now();
    for (;;) {
      try {
        await bus.publishInbound({ session: id, id, payload: id });
        return performance.now() - startedAt;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };

  for (const requestTimeoutMs of [1_000, 60_000])
    test(`connections that fall silent are replaced within 10 s, with requests of ${requestTimeoutMs} ms [BU-2]`, async () => {
      const bus = open({ requestTimeoutMs });
      const handled = new Set<string>();
      work(bus, handled);
      await publishUntilAccepted(bus, "before");
      await eventually(() => handled.has("before"), "the first message is handled");
      proxy.silence();
      const silentAt = performance.now();
      await publishUntilAccepted(bus, "after");
      await eventually(() => handled.has("after"), "the next message is handled", 15_000);
      const tookMs = performance.now() - silentAt;
      assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
      assert.equal(bus.health().ready, true);
    });

  test("after a switch-over the bus leaves the demoted server within 2 s, with a url alone [BU-3]", async () => {
    const bus = open();
    const handled = new Set<string>();
    work(bus, handled);
    await publishUntilAccepted(bus, "before");
    await eventually(() => handled.has("before"), "the first message is handled");
    await next.admin.flushall();
    proxy.pointAt(next.port);
    await server.admin.replicaof("127.0.0.1", next.port);
    const switchedAt = performance.now();
    await bus.publishInbound({ session: "after", id: "after", payload: 1 });
    await eventually(() => handled.has("after"), "the next message is handled");
    const tookMs = performance.now() - switchedAt;
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
    assert.ok((await next.admin.keys("*")).length > 0, "the new server is written to");
  });

  test("a server that stays read-only is unreachable, not ready, and says so in time", async () => {
    const bus = open({ requestTimeoutMs: 3_000 });
    await bus.publishInbound({ session: "a", payload: 1 });
    await server.admin.replicaof("127.0.0.1", next.port);
    const startedAt = performance.now();
    await assert.rejects(bus.publishInbound({ session: "a", payload: 2 }), { code: "UNREACHABLE" });
    assert.ok(performance.now() - startedAt < 2_500, `it took ${Math.round(performance.now() - startedAt)} ms`);
    assert.equal(bus.health().state, "unreachable");
    await server.admin.replicaof("NO", "ONE");
    await bus.publishInbound({ session: "a", payload: 3 });
    assert.equal(bus.health().ready, true);
  });
});
