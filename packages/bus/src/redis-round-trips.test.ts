import assert from "node:assert/strict";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Bus, Delivery } from "./bus.ts";
import { redisBus } from "./redis.ts";

const COUNT = 4_000;
const CONCURRENCY = 50;

describe.skipIf(withoutRedisServer !== undefined)("what a consumer asks of Redis", () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  /** Requests and commands a message, those inside scripts included. */
  async function costOf(handleAll: (bus: Bus) => Promise<void>) {
    await server.admin.flushall();
    const bus = redisBus({ url: server.url, maxBacklog: COUNT }) as Bus & ReturnType<typeof redisBus>;
    await bus.ready();
    const messages = Array.from({ length: COUNT }, (_, n) => ({
      session: `c${n % CONCURRENCY}`,
      id: `m${n}`,
      payload: n,
    }));
    for (let from = 0; from < COUNT; from += 500) await bus.publishInbound(messages.slice(from, from + 500));
    await server.admin.config("RESETSTAT");
    await handleAll(bus);
    const stats = await server.admin.info("commandstats");
    await bus.close();
    const calls = [...stats.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)].map(
      ([, name, count]) => [name, Number(count)] as const,
    );
    const requests = calls.find(([name]) => name === "evalsha")?.[1] ?? Number.NaN;
    return { requests: requests / COUNT, commands: calls.reduce((sum, [, count]) => sum + count, 0) / COUNT };
  }

  test("handlers that settle at once share requests with the claims for more: half of them each [PF-7]", async () => {
    const ofIterator = await costOf(async (bus) => {
      let done = 0;
      const acks: Promise<void>[] = [];
      for await (const delivery of bus.consumeInbound({ concurrency: CONCURRENCY })) {
        acks.push(delivery.ack());
        if (++done === COUNT) break;
      }
      await Promise.all(acks);
    });
    const ofProcess = await costOf(async (bus) => {
      let done = 0;
      const stop = new AbortController();
      await bus.process(
        async (_: Delivery) => {
          if (++done === COUNT) stop.abort();
        },
        { concurrency: CONCURRENCY, signal: stop.signal },
      );
    });
    process.stdout.write(
      `requests a message: ${ofIterator.requests} by iterator, ${ofProcess.requests} by process; commands: ${ofIterator.commands}, ${ofProcess.commands}\n`,
    );
    // Two requests of 25 each share 50 places, so that one runs on the server while the other's answer is handled here.
    for (const { requests, commands } of [ofIterator, ofProcess]) {
      assert.ok(requests <= 0.05, `${requests} requests a message`);
      assert.ok(commands <= 4.1, `${commands} commands a message`);
    }
  });
});
