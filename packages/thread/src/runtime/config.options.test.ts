import assert from "node:assert/strict";
import type { BusOptions } from "@hebra/bus";
import type { RedisBusOptions } from "@hebra/bus/redis";
import type { RedisLocksOptions } from "@hebra/lock/redis";
import { redisUrl, withoutRedis } from "./config.fixture.ts";
import { describe, test } from "vitest";
import type { PostgresStoreOptions } from "../store/postgres.ts";
import type { RedisStoreOptions } from "../store/redis.ts";
import type { SqliteStoreOptions } from "../store/sqlite.ts";
import { openBus, openLocks, openRuntime, openStore, parseRuntimeConfig, type RuntimeConfig } from "./config.ts";
import { echoThread } from "./runtime.fixture.ts";

/** What is no data: objects and functions of a process. */
type Live = "client" | "clock" | "ids" | "random" | "onEvent" | "pool" | "commands";
/**
 * One value for every option of a factory that data can hold: a new option has to be added, or this does not compile.
 */
type Samples<Options> = { [Name in Exclude<keyof Options, Live>]-?: NonNullable<Options[Name]> };

const address = {
  url: "redis://127.0.0.1",
  connection: { host: "127.0.0.1" },
  cluster: { nodes: ["redis://127.0.0.1"] },
};
const behaviour: Samples<BusOptions> = {
  leaseMs: 5_000,
  retry: { maxAttempts: 3, maxAgeMs: 60_000, baseMs: 10, capMs: 100, onExhausted: "park" },
  maxBacklog: 5,
  overflow: "drop-oldest",
  overflowWaitMs: 2_000,
  dedupWindowMs: 60_000,
  maxMessageBytes: 10_000,
  maxDeadLetters: 10,
  maxDeadLettersPerTenant: 5,
  tenants: { default: { weight: 2, maxInFlight: 3 }, byTenant: { acme: { weight: 3, perMinute: 60, burst: 5 } } },
};
const bus: Samples<RedisBusOptions> = {
  ...address,
  ...behaviour,
  namespace: `config-${process.pid}`,
  partitions: 2,
  durability: "memory",
  onDurabilityMissed: "refuse",
  replicas: 1,
  durabilityTimeoutMs: 500,
  requestTimeoutMs: 4_000,
};
const locks: Samples<RedisLocksOptions> = {
  ...address,
  namespace: `config-${process.pid}`,
  ttlMs: 20_000,
  waitMs: 5_000,
  pollMs: 200,
  requestTimeoutMs: 4_000,
};
const postgres: Samples<PostgresStoreOptions> = {
  connectionString: "postgres://127.0.0.1/x",
  poolSize: 3,
  pglite: "directory",
  prepare: false,
  busyMs: 1_000,
  schema: "agents",
  migrations: "automatic",
};
const sqlite: Samples<Omit<SqliteStoreOptions, "driver">> & { driver: "libsql" } = {
  path: ":memory:",
  synchronous: "NORMAL",
  driver: "libsql",
  migrations: "automatic",
  busyMs: 1_000,
};
const redisStore: Samples<RedisStoreOptions> = { ...address, namespace: "x" };
const places = new Set(["url", "connection", "cluster", "connectionString", "pglite"]);
const withoutPlace = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !places.has(name)));

describe("a configuration", () => {
  test("takes every option of every factory under the factory's own name [BU-10]", () => {
    const parts: [part: "bus" | "locks" | "store", backend: string, options: object, place: object][] = [
      ["bus", "local", behaviour, {}],
      ["bus", "redis", bus, { url: address.url }],
      ["locks", "redis", locks, { url: address.url }],
      ["store", "postgres", postgres, { connectionString: "postgres://127.0.0.1/x" }],
      ["store", "sqlite", sqlite, {}],
      ["store", "redis", redisStore, { url: address.url }],
    ];
    for (const [part, backend, options, place] of parts)
      for (const [name, value] of Object.entries(options)) {
        const config = { [part]: { backend, ...(places.has(name) ? {} : place), [name]: value } } as RuntimeConfig;
        const parsed = parseRuntimeConfig(config)[part] as Record<string, unknown>;
        assert.deepEqual(parsed[name], value, `${part}.${name}`);
      }
  });

  test("gives every option to the factory, which checks it [BU-10]", async () => {
    const local = await openBus(parseRuntimeConfig({ bus: behaviour }).bus);
    const post = (id: string) => local!.publishInbound({ session: "a", id, payload: 1 });
    for (let n = 0; n < 5; n++) await post(`${n}`);
    assert.equal((await post("5"))[0]!.status, "accepted");
    assert.equal((await local!.deadLetters.list()).letters.length, 1, "the oldest was not dropped");
    await assert.rejects(
      local!.publishInbound({ session: "b", payload: "x".repeat(20_000) }).then(() => undefined),
      { code: "ENVELOPE_TOO_LARGE" },
    );
    await local!.close();
    const store = await openStore(parseRuntimeConfig({ store: { backend: "sqlite", ...sqlite } }).store);
    await store.close();
    // What a factory refuses is refused.
    const short = parseRuntimeConfig({ bus: { dedupWindowMs: 1_000 } }).bus;
    await assert.rejects(openBus(short), { code: "INVALID_OPTIONS", message: /retry\.maxAgeMs/ });
    await assert.rejects(openBus(parseRuntimeConfig({ bus: { partitions: 2 } }).bus), {
      code: "INVALID_OPTIONS",
      message: /partitions/,
    });
  });

  test.skipIf(withoutRedis)("opens bus and locks on Redis with every option [BU-10]", async () => {
    const config = parseRuntimeConfig({
      bus: { backend: "redis", ...withoutPlace(bus), url: redisUrl },
      locks: { backend: "redis", ...withoutPlace(locks), url: redisUrl },
    } as RuntimeConfig);
    const [opened, manager] = [await openBus(config.bus), await openLocks(config.locks)];
    await opened!.publishInbound({ session: "a", payload: 1 });
    const lease = await manager!.acquire("x");
    await lease.release();
    await Promise.all([opened!.close(), manager!.close()]);
  });

  test("refuses to be without locks, and says why [BU-10]", () => {
    assert.throws(() => parseRuntimeConfig({ locks: { enabled: false as never } }), {
      code: "INVALID_OPTIONS",
      message: /`locks\.enabled`: cannot be false: locks elect the leader/,
    });
    parseRuntimeConfig({ locks: { enabled: true } });
  });

  test("takes one name of one thing at a time [BU-10]", () => {
    const both = { backend: "postgres", url: "postgres://a", connectionString: "postgres://b" } as const;
    assert.throws(() => parseRuntimeConfig({ store: both }), /has url and connectionString: exactly one is needed/);
    assert.throws(() => parseRuntimeConfig({ bus: { maxAttempts: 3, retry: { maxAttempts: 4 } } }), /set one/);
    assert.throws(() => parseRuntimeConfig({ bus: { tenant: {} } as never }), /did you mean `bus\.tenants`/);
  });

  test("names what the deployment promises in milliseconds, which a runtime takes [BU-10]", async () => {
    const config = { store: { backend: "memory" }, targets: { dispatchP95Ms: 500, turnP95Ms: 8_000 } } as const;
    assert.deepEqual(parseRuntimeConfig(config).targets, config.targets);
    await (await openRuntime(config, { threads: [echoThread()] })).close();
    assert.throws(() => parseRuntimeConfig({ targets: { turnP95Ms: 0 } }), { code: "INVALID_OPTIONS" });
  });
});
