import assert from "node:assert/strict";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterEach, beforeEach, describe, test } from "vitest";
import { redisBus, type RedisBus, type RedisBusOptions } from "./redis.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("publishing that waits for a replica", { timeout: 60_000 }, () => {
  let server: TestRedis;
  let replica: TestRedis;
  const buses: RedisBus[] = [];
  beforeEach(async () => {
    server = await startRedis();
    replica = await startRedis(["--replicaof", "127.0.0.1", String(server.port)]);
    const online = async () => (await server.admin.info("replication")).includes("state=online");
    await eventually(online, "the replica is online", 20_000);
  });
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await Promise.all([replica.stop(), server.stop()]);
  });
  const open = (options: Partial<RedisBusOptions> = {}) => {
    const bus = redisBus({ url: server.url, namespace: freshNamespace(), durability: "replicated", ...options });
    buses.push(bus);
    return bus;
  };
  const publishMany = (bus: RedisBus, count: number, label: string) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        bus.publishInbound({ session: `${label}${i % 50}`, id: `${label}${i}`, payload: i }),
      ),
    );

  test("with the replica gone, all are accepted as what they are, at 1,000 a second and more [BU-6]", async () => {
    const bus = open();
    assert.deepEqual(await bus.publishInbound({ session: "a", id: "a", payload: 1 }), [
      { id: "a", status: "accepted", durable: true, durability: "replicated" },
    ]);
    await replica.kill();
    await publishMany(bus, 50, "first");
    const startedAt = performance.now();
    let published = 0;
    for (let round = 0; round < 20; round++) {
      const receipts = (await publishMany(bus, 100, `r${round}.`)).flat();
      for (const { status, durable, durability } of receipts)
        assert.deepEqual([status, durable, durability], ["accepted", false, "memory"]);
      published += receipts.length;
    }
    const rate = published / ((performance.now() - startedAt) / 1_000);
    assert.ok(rate >= 1_000, `${Math.round(rate)} a second`);
    assert.equal((await bus.stats()).inbound.depth, 1 + 50 + published, "each is stored once");
  });

  test("a caller that refuses less than it asked for hears so, and finds its message stored once [BU-6]", async () => {
    const bus = open({ onDurabilityMissed: "refuse", durabilityTimeoutMs: 200 });
    await replica.kill();
    const message = { session: "a", id: "a", payload: 1 };
    await assert.rejects(bus.publishInbound(message), { code: "DURABILITY_MISSED" });
    const [accepted] = await bus.publishInbound(message, { onDurabilityMissed: "accept" });
    assert.deepEqual([accepted!.status, accepted!.durable], ["duplicate", false]);
    await replica.restart();
    const again = async () => {
      const receipts = await bus.publishInbound(message).catch(() => undefined);
      return receipts?.[0]?.status === "duplicate" && receipts[0].durable;
    };
    await eventually(again, "the message is on the replica", 20_000);
    assert.equal((await bus.stats()).inbound.depth, 1);
  });

  test("publishes that come together share one wait [BU-6]", async () => {
    const bus = open();
    await bus.ready();
    const waits = async () =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(await server.admin.info("commandstats"))?.[1] ?? 0);
    const before = await waits();
    const receipts = (await publishMany(bus, 300, "m")).flat();
    assert.ok(receipts.every(({ durable }) => durable));
    assert.ok((await waits()) - before <= 5, `${(await waits()) - before} waits`);
  });
});
