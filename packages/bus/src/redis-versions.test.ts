import { createManualClock, errorCode } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { BusEvent } from "./client/bus-events.ts";
import { openRedisBus, redisBus, type RedisBus, type RedisBusOptions } from "./redis/redis-bus.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("versions and durability", () => {
  let server: TestRedis;
  const buses: RedisBus[] = [];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  afterEach(async () => void (await Promise.all(buses.splice(0).map((bus) => bus.close()))));
  const open = (options: Partial<RedisBusOptions> = {}, newestFormat = 1) => {
    const bus = openRedisBus({ url: server.url, namespace: freshNamespace(), ...options }, { newestFormat });
    buses.push(bus);
    return bus;
  };
  const code = (promise: Promise<unknown>) => promise.then(() => "resolved", errorCode);

  it("refuses fsync on a server without WAITAOF, at start and per publish", async () => {
    const version = /redis_version:(\d+)\.(\d+)/
      .exec(await server.admin.info("server"))!
      .slice(1)
      .map(Number);
    const expected = version[0]! > 7 || (version[0] === 7 && version[1]! >= 2) ? "resolved" : "DURABILITY_UNSUPPORTED";
    expect(await code(open({ durability: "fsync" }).ready())).toBe(expected);
    if (expected === "resolved") return;
    const refused = open({ durability: "fsync" });
    expect(await code(refused.publishInbound({ session: "a", payload: 1 }))).toBe(expected);
    expect(await code(refused.consumeInbound().next())).toBe(expected);
    expect(await code(open().publishInbound({ session: "a", payload: 1 }, { durability: "fsync" }))).toBe(expected);
  });

  it("says whether a replica has the message", async () => {
    const replica = await startRedis(["--replicaof", "127.0.0.1", String(server.port)]);
    try {
      await eventually(
        async () => (await server.admin.info("replication")).includes("state=online"),
        "the replica is online",
        20_000,
      );
      const bus = open({ durability: "replicated", durabilityTimeoutMs: 500 });
      const message = { session: "a", id: "m1", payload: 1 };
      expect((await bus.publishInbound(message))[0]).toMatchObject({ status: "accepted", durable: true });
      await replica.kill();
      expect((await bus.publishInbound({ ...message, id: "m2" }))[0]).toMatchObject({
        status: "accepted",
        durable: false,
      });
      expect((await bus.publishInbound(message))[0]).toMatchObject({ status: "duplicate", durable: false });
    } finally {
      await replica.stop();
    }
  });

  it("lets releases N-1 and N share a namespace, forward and back, with nothing lost or dead", async () => {
    const namespace = freshNamespace();
    const older = open({ namespace });
    await older.ready();
    const newer = open({ namespace }, 2);
    await newer.ready();
    const handled: string[] = [];
    const work = (bus: RedisBus) =>
      void (async () => {
        for await (const delivery of bus.consumeInbound({ concurrency: 4 })) {
          handled.push(...delivery.messages.map((message) => message.id));
          await delivery.ack();
        }
      })();
    work(older);
    work(newer);
    const publish = async (bus: RedisBus, from: number) => {
      for (let i = from; i < from + 20; i++)
        await bus.publishInbound({ session: `s${i % 5}`, id: `m${i}`, payload: i });
    };
    await publish(newer, 0);
    await publish(older, 20);
    await eventually(() => handled.length === 40, "both releases' messages are handled");
    expect([older.health().state, newer.health().state]).toEqual(["ready", "ready"]);

    await newer.raiseFormat(2);
    await publish(newer, 40);
    await eventually(() => handled.length === 60, "the newer release handles what the older cannot read");
    await eventually(() => older.health().state === "upgrade-required", "the older release is not ready");
    const late = open({ namespace });
    expect(await code(late.ready())).toBe("UPGRADE_REQUIRED");
    expect(late.health()).toMatchObject({ ready: false, state: "upgrade-required" });
    expect(new Set(handled).size).toBe(60);
    expect(await newer.stats()).toMatchObject({ inbound: { depth: 0 }, dead: 0 });

    await newer.raiseFormat(1);
    const back = open({ namespace });
    await back.ready();
    await publish(back, 60);
    await eventually(() => handled.length === 80, "after the way back everything is handled");
    expect(await code(back.raiseFormat(2))).toBe("INVALID_OPTIONS");
  }, 30_000);

  it("fails closed while the server is away, and hears of it", async () => {
    const away = await startRedis();
    const events: BusEvent[] = [];
    const bus = open({ url: away.url, requestTimeoutMs: 500, onEvent: (event) => events.push(event) });
    await bus.ready();
    await away.kill();
    expect(await code(bus.publishInbound({ session: "a", payload: 1 }))).toBe("UNREACHABLE");
    expect(bus.health()).toMatchObject({ ready: false, state: "unreachable" });
    expect(events.some((event) => event.type === "health-changed" && event.health.state === "unreachable")).toBe(true);
    await away.restart();
    await eventually(() => bus.health().ready, "it comes back by itself");
    await away.stop();
    const never = open({ url: "redis://127.0.0.1:1", requestTimeoutMs: 300 });
    expect(await code(never.publishInbound({ session: "a", payload: 1 }))).toBe("UNREACHABLE");
  });

  it("refuses what cannot work together", async () => {
    expect(() => redisBus({} as never)).toThrow(/exactly one of/);
    expect(() => redisBus({ url: server.url, leaseMillis: 1 } as never)).toThrow(/unknown option `leaseMillis`/);
    const prefixed = new Redis({ port: server.port, lazyConnect: true, keyPrefix: "x:" });
    expect(() => redisBus({ client: prefixed as never })).toThrow(/keyPrefix/);
    prefixed.disconnect();
    const namespace = freshNamespace();
    await open({ namespace, partitions: 2 }).ready();
    expect(await code(open({ namespace, partitions: 3 }).ready())).toBe("INVALID_OPTIONS");
  });

  it("works with a client that it was given, and leaves it open", async () => {
    const client = new Redis(server.url);
    const bus = open({ url: undefined, client: client as never, clock: createManualClock() } as never);
    await bus.publishInbound({ session: "a", payload: 1 });
    expect((await bus.consumeInbound().next()).value).toMatchObject({ session: "a" });
    await bus.close();
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
  });
});
