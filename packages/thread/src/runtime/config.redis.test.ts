import { startCluster, startSentinel, withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, expect, it } from "vitest";
import { openRuntime, parseRuntimeConfig, type RedisAddress, type RuntimeConfig } from "./config.ts";
import { echoThread, memoryChannel } from "./runtime.fixture.ts";

const PATIENCE = 40_000;

/** Everything in one Redis, by data alone: a message goes through bus, locks and store, and its reply comes back. */
async function answers(address: RedisAddress): Promise<void> {
  const shared = { backend: "redis" as const, ...address };
  // Data is what a file can hold.
  const config = JSON.parse(JSON.stringify({ bus: shared, locks: shared, store: shared, workers: 2 })) as RuntimeConfig;
  const runtime = await openRuntime(config, { threads: [echoThread()] });
  const channel = memoryChannel("memory");
  await runtime.gateway({ channels: [channel] });
  for (const chat of ["a", "b", "c"]) await channel.publish({ id: `1-${chat}`, chat, text: `hi ${chat}` });
  expect((await channel.received(3)).map(({ text }) => text).sort()).toEqual([
    "echo: hi a",
    "echo: hi b",
    "echo: hi c",
  ]);
  await runtime.close();
}

describe.skipIf(withoutRedisServer !== undefined)("Redis as data", () => {
  it(
    "is a cluster",
    async () => {
      const cluster = await startCluster();
      try {
        await answers({ cluster: { nodes: cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })) } });
      } finally {
        await cluster.stop();
      }
    },
    PATIENCE,
  );

  it(
    "is a server that sentinels know",
    async () => {
      const { sentinel, name, stop } = await startSentinel();
      try {
        await answers({ connection: { sentinels: [sentinel], name } });
      } finally {
        await stop();
      }
    },
    PATIENCE,
  );
});

it.each<[RuntimeConfig, RegExp]>([
  [{ bus: { backend: "redis" } }, /`bus.url`: is needed for the backend redis, or a `connection` or a `cluster`/],
  [
    { locks: { backend: "redis", url: "redis://a", cluster: { nodes: ["redis://b"] } } },
    /`locks`: has url and cluster: exactly one is needed/,
  ],
  [{ store: { backend: "redis", cluster: { nodes: [] } } }, /`store.cluster.nodes`/],
  [{ bus: { backend: "redis", clutser: {} } } as never, /did you mean `bus.cluster`/],
])("an address that cannot be: %j", (config, message) => {
  expect(() => parseRuntimeConfig(config)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTIONS", message: expect.stringMatching(message) as string }),
  );
});
