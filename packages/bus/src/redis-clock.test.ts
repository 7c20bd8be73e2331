import assert from "node:assert/strict";
import { systemClock, type Clock } from "@hebra/core";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, test } from "vitest";
import type { Delivery } from "./bus.ts";
import { redisBus, type RedisBus } from "./redis.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

const MINUTE = 60_000;

describe.skipIf(withoutRedisServer !== undefined)("clocks that disagree", { timeout: 30_000 }, () => {
  let server: TestRedis;
  const buses: RedisBus[] = [];
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());
  afterEach(async () => void (await Promise.all(buses.splice(0).map((bus) => bus.close()))));
  const open = (namespace: string, aheadMs: number) => {
    const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
    const bus = redisBus({ url: server.url, namespace, clock, retry: { baseMs: 0, capMs: 0 } });
    buses.push(bus);
    return bus;
  };

  for (const [gateway, worker] of [
    [-61, 0],
    [0, 61],
    [61, 0],
  ] as const)
    test(`a message's age is by the server's time: gateway ${gateway} min off, worker ${worker} min [BU-8]`, async () => {
      const namespace = freshNamespace();
      const publisher = open(namespace, gateway * MINUTE);
      await publisher.publishInbound({ session: "a", id: "a", payload: 1 });
      const bus = open(namespace, worker * MINUTE);
      const consumer = bus.consumeInbound();
      const first = (await consumer.next()).value as Delivery;
      assert.ok(Math.abs(first.messages[0]!.enqueuedAt - Date.now()) < 5_000, `${first.messages[0]!.enqueuedAt}`);
      await first.nack({ error: new Error("once") });
      const again = (await consumer.next()).value as Delivery;
      assert.equal(again.attempt, 2);
      await again.ack();
      assert.equal((await bus.stats()).dead, 0);
      assert.ok((await bus.stats()).inbound.oldestAgeMs < 5_000);
    });

  test("a schedule's time is the server's as well [BU-8]", async () => {
    const namespace = freshNamespace();
    const bus = open(namespace, -61 * MINUTE);
    await bus.schedule({ session: "a", id: "later", payload: 1 }, { at: Date.now() + 10 * MINUTE });
    const [message] = (await bus.scheduled()).messages;
    assert.ok(Math.abs(message!.at - Date.now() - 10 * MINUTE) < 5_000, `${message!.at}`);
  });
});
