import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { parseBusOptions } from "./bus-options.ts";
import { redisBackend } from "./redis/backend.ts";
import { ioredisCommands, type IoredisClient } from "./redis/commands.ts";
import { partitionTags } from "./redis/partitions.ts";
import { anyStep, runModel } from "./testing/model.fixture.ts";
import { mailboxSubject, modelOptions, redisSubject, toSettings } from "./testing/model-subjects.fixture.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

const seed = Number(process.env["HEBRA_SEED"] ?? 20_261_121);
const numRuns = Number(process.env["HEBRA_RUNS"] ?? 40);

describe.skipIf(withoutRedisServer !== undefined)("the scripts", () => {
  let server: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it("answer every step as the state machine does, in logical time", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...modelOptions), fc.array(anyStep, { minLength: 20, maxLength: 80, size: "max" }), async (options, steps) => {
        let now = 1_000_000;
        const namespace = freshNamespace();
        const backend = redisBackend({
          connect: async () => ioredisCommands(client as unknown as IoredisClient, false),
          namespace,
          partitions: 1,
          durability: "memory",
          replicas: 1,
          durabilityTimeoutMs: 100,
          requestTimeoutMs: 5_000,
          settings: parseBusOptions("model", { ...options, leaseMs: 10_000 }),
          newestFormat: 1,
          time: () => now,
        });
        await backend.start({ ready: () => true, notice() {}, health() {} }, "h");
        try {
          const subjects = [mailboxSubject(toSettings(options), () => now), redisSubject(backend, server.admin, `${namespace}:{${partitionTags(1)[0]!}}:`)];
          await runModel(steps, subjects, (ms) => void (now += ms));
        } finally {
          await backend.close();
        }
      }),
      { seed, numRuns, endOnFailure: process.env["HEBRA_SHRINK"] === undefined },
    );
  });
});
