import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { remembered } from "./testing/model.fixture.ts";
import { scriptsAnswerAsTheModel } from "./testing/model-check.fixture.ts";

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
    await fc.assert(scriptsAnswerAsTheModel(client, server.admin), {
      seed,
      numRuns,
      examples: remembered.map((steps) => [{}, steps]),
      endOnFailure: process.env["HEBRA_SHRINK"] === undefined,
    });
  });
});
