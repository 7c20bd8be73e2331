import assert from "node:assert/strict";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, test } from "vitest";
import { redisBus, type RedisBus, type RedisBusOptions } from "./redis.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("figures of a deep backlog", { timeout: 120_000 }, () => {
  let server: TestRedis;
  const buses: RedisBus[] = [];
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await server.admin.flushall();
  });
  const open = (options: Partial<RedisBusOptions> = {}) => {
    const bus = redisBus({ url: server.url, namespace: freshNamespace(), ...options });
    buses.push(bus);
    return bus;
  };
  const fill = async (bus: RedisBus, conversations: number, tenants = 1) => {
    for (let from = 0; from < conversations; from += 1_000) {
      const messages = Array.from({ length: Math.min(1_000, conversations - from) }, (_, i) => ({
        tenant: `t${(from + i) % tenants}`,
        session: `s${from + i}`,
        id: `m${from + i}`,
        payload: from + i,
      }));
      await bus.publishInbound(messages);
    }
  };
  /** As if another process of the fleet counted: nothing does beside the test. */
  const reserveRecount = (namespace: string) => server.admin.set(`${namespace}:recount`, "another");
  /** What the server did: scripts, and commands of all kinds, those inside scripts included. */
  const work = async (act: () => Promise<unknown>) => {
    await server.admin.config("RESETSTAT");
    await act();
    const counts = [...(await server.admin.info("commandstats")).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
    const calls = (names: (name: string) => boolean) =>
      counts.reduce((sum, [, name, count]) => sum + (names(name!) ? Number(count) : 0), 0);
    return { scripts: calls((name) => /^eval/.test(name)), commands: calls(() => true) };
  };

  test("stats cost the server the same however many conversations wait [BU-1]", async () => {
    const namespace = freshNamespace();
    await reserveRecount(namespace);
    const bus = open({ namespace });
    await fill(bus, 30_000, 3);
    const { commands } = await work(async () => {
      for (let i = 0; i < 5; i++) assert.equal((await bus.stats()).inbound.depth, 30_000);
    });
    assert.ok(commands / 5 < 800, `a call costs ${commands / 5} commands`);
    const { inbound } = await bus.stats();
    const oldest = Number(
      /"enqueuedAt":(\d+)/.exec((await server.admin.lindex((await server.admin.keys("*q:t0/s0"))[0]!, 0))!)![1],
    );
    assert.ok(Math.abs(inbound.oldestWaitingAgeMs - (Date.now() - oldest)) < 2_000, "the oldest is found");
  });

  test("what an older version left is counted once, in short pages, by one of those that start [BU-1]", async () => {
    const namespace = freshNamespace();
    await reserveRecount(namespace);
    const older = open({ namespace });
    await fill(older, 30_000, 3);
    const held = await older.consumeInbound({ concurrency: 1 }).next();
    assert.equal(held.done, false);
    await server.admin.del(...(await server.admin.keys(`${namespace}:*:cnt`)));
    await server.admin.hdel(`${namespace}:cfg`, "counted");
    const { scripts, commands } = await work(async () => {
      const found = await Promise.all([open({ namespace }), open({ namespace })].map((bus) => bus.stats()));
      for (const { inbound } of found)
        assert.deepEqual([inbound.depth, inbound.inFlight, inbound.delayed], [30_000, 1, 0]);
    });
    assert.ok(commands > 30_000, "it counts");
    assert.ok(commands / scripts < 500, `a page costs ${commands / scripts} commands`);
    assert.ok(commands < 70_000, `both together cost ${commands} commands: one counts, the other waits`);
  });

  test("counts that an older version did not keep are put right by the next process that starts [BU-1]", async () => {
    const namespace = freshNamespace();
    const bus = open({ namespace, tenants: { default: { maxInFlight: 1 } } });
    await fill(bus, 50, 5);
    const consumer = bus.consumeInbound({ concurrency: 8 });
    for (let i = 0; i < 5; i++) assert.equal((await consumer.next()).done, false);
    const [key] = await server.admin.keys(`${namespace}:*:in:cnt`);
    await server.admin.hset(key!, "depth", "7", "leased", "40");
    await server.admin.del(`${namespace}:recount`);
    const next = open({ namespace, tenants: { default: { maxInFlight: 1 } } });
    await eventually(async () => (await next.stats()).inbound.depth === 50, "the depth is right");
    assert.equal((await next.stats()).inbound.inFlight, 5);
  });
});
