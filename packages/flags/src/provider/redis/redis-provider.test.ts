import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "@hebra/test-servers/eventually";
import { everyWrite, startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFlags } from "../../client/create-flags.ts";
import { countingClock } from "../../testing/counting-clock.fixture.ts";
import { firstDocument, providerContract, type ProviderContractHarness } from "../provider.contract.ts";
import { redisFlagWriter, redisProvider } from "./redis-provider.ts";

if (withoutRedisServer !== undefined) console.warn(`skipped: ${withoutRedisServer}`);

describe.skipIf(withoutRedisServer !== undefined)("redisProvider", () => {
  let server: TestRedis;
  let count = 0;
  beforeAll(async () => void (server = await startRedis(everyWrite)));
  afterAll(() => server.stop());

  async function harness(): Promise<ProviderContractHarness & { close(): Promise<void>; namespace: string }> {
    const namespace = `contract-${++count}`;
    const clock = countingClock();
    const writer = redisFlagWriter({ url: server.url, namespace, commandTimeoutMs: 5_000 });
    await writer.write(firstDocument);
    return {
      namespace,
      connect: () => redisProvider({ url: server.url, namespace, clock, pollMs: 200, commandTimeoutMs: 300 }),
      publish: async (document) => void (await writer.write(document)),
      async corrupt() {
        await server.admin.hset(`${namespace}:flags`, "document", "{", "revision", "77");
        await server.admin.publish(`${namespace}:flags:changed`, "77");
      },
      cutOff: () => server.kill(),
      restore: () => server.restart(),
      elapse: () => pause(15),
      timers: () => clock.pending(),
      close: () => writer.close(),
    };
  }

  describe("fulfils the contract", () => {
    for (const [title, clause] of Object.entries(providerContract)) {
      test(title, async () => {
        const own = await harness();
        await clause(own);
        await own.close();
        await eventually(
          async () => (await server.admin.pubsub("CHANNELS", `${own.namespace}:*`)).length === 0,
          "nobody listens any more",
        );
      });
    }
  });

  test("a message that was lost is made up for by polling", async () => {
    const own = await harness();
    const flags = createFlags({ provider: own.connect(), logger: { warn() {} } });
    await flags.ready();
    // Written past the writer: nobody is told.
    await server.admin.hset(
      `${own.namespace}:flags`,
      "document",
      JSON.stringify({ flags: {}, rollouts: { contract: { version: 2, canary: { percent: 100 } } } }),
      "revision",
      "9",
    );
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "new", "the poll");
    await flags.close();
    await own.close();
  });

  test("a document of the same revision after the server lost its data is another one", async () => {
    const own = await harness();
    const flags = createFlags({ provider: own.connect(), logger: { warn() {} } });
    await flags.ready();
    await server.admin.del(`${own.namespace}:flags`);
    const kill = { at: "2026-01-01T00:00:00.000Z", by: "ops", reason: "drill" };
    // Revision 1 again, as the first document was.
    await own.publish({ flags: {}, rollouts: { contract: { version: 1, kill } } });
    await eventually(() => flags.decide("contract", { session: "s" }).ruleId === "kill.flag", "the kill");
    await flags.close();
    await own.close();
  });

  test("a document that vanishes leaves the last good one in force", async () => {
    const own = await harness();
    const warnings: string[] = [];
    const flags = createFlags({ provider: own.connect(), logger: { warn: (message) => void warnings.push(message) } });
    await flags.ready();
    await server.admin.del(`${own.namespace}:flags`);
    await eventually(() => warnings.some((warning) => warning.includes("vanished")), "the warning");
    expect(flags.describe("contract")).toMatchObject({ version: 1 });
    await flags.close();
    await own.close();
  });

  test("a writer that read an older revision is refused", async () => {
    const own = await harness();
    const writer = redisFlagWriter({ url: server.url, namespace: own.namespace });
    const { revision, document } = await writer.read();
    expect([revision, document]).toEqual([1, firstDocument]);
    expect(await writer.write({ flags: {} }, 1)).toBe(2);
    await expect(writer.write({ flags: {} }, 1)).rejects.toMatchObject({
      code: "REVISION_CONFLICT",
      details: { revision: 2 },
    });
    await expect(writer.write({ flags: { f: {} } } as never, 2)).rejects.toMatchObject({ code: "FLAG_INVALID" });
    await writer.close();
    await own.close();
  });

  test("a client of the host's own is used, and left open", async () => {
    const own = await harness();
    const provider = redisProvider({ client: server.admin as never, namespace: own.namespace });
    await provider.load();
    const stop = provider.watch?.(() => {});
    stop?.();
    await provider.close();
    expect(await server.admin.ping()).toBe("PONG");
    await own.close();
  });

  test("needs exactly one way to its server", () => {
    expect(() => redisProvider({} as never)).toThrow(/exactly one of/);
    expect(() => redisProvider({ url: "redis://x", client: {} } as never)).toThrow(
      /INVALID_OPTIONS|exactly one|not an ioredis/,
    );
  });
});
