import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { busContract } from "./bus.contract.ts";
import { redisHarness } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("the bus on Redis", () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  for (const [title, clause] of Object.entries(busContract)) {
    it(title, async () => {
      const harness = redisHarness(() => new Redis(server.url));
      try {
        await clause(harness);
      } finally {
        await harness.close();
      }
    });
  }
});
