import { parseOptions } from "@hebra/core";
import type { Bus, BusOptions } from "@hebra/bus";
import type { RedisBusOptions } from "@hebra/bus/redis";
import type { LockManager, LockManagerOptions } from "@hebra/lock";
import type { RedisLocksOptions } from "@hebra/lock/redis";
import type { ThreadStore } from "../store/store.ts";
import { addressOf, configSchema, given, type ParsedConfig } from "./config/schema.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { assertNothingLeftBehind } from "./to-shared/left-behind.ts";
import type { sqliteDriverNames } from "../store/sqlite/driver-names.ts";

export type { ParsedConfig } from "./config/schema.ts";

/** Where Redis is: exactly one of these. */
export interface RedisAddress {
  /** `redis://` or `rediss://`. */
  url?: string;
  /** Options of an ioredis `Redis`, for what a URL cannot say: `{ sentinels: [{ host, port }], name }`. */
  connection?: Readonly<Record<string, unknown>>;
  /** A Redis Cluster: some of its nodes, and the options of an ioredis `Cluster`. */
  cluster?: {
    nodes: readonly (string | { host: string; port: number })[];
    options?: Readonly<Record<string, unknown>>;
  };
}

/** A runtime as data: what a deployment sets. Everything that is left out is local. */
export interface RuntimeConfig {
  bus?: RedisAddress & {
    /** @defaultValue "local" */
    backend?: "local" | "redis";
    /** @defaultValue "hebra" */
    namespace?: string;
    /** Short for `retry.maxAttempts`. */
    maxAttempts?: number;
  } & Pick<
      BusOptions,
      | "leaseMs"
      | "retry"
      | "maxBacklog"
      | "overflow"
      | "overflowWaitMs"
      | "dedupWindowMs"
      | "maxMessageBytes"
      | "maxDeadLetters"
      | "maxDeadLettersPerTenant"
      | "tenants"
    > & {
      /** Redis, as `redisBus`: how many parts the namespace has. Fixed by the first process. */
      partitions?: number;
      /** Redis. @defaultValue "memory": what the server's own persistence gives */
      durability?: "memory" | "replicated" | "fsync";
      /** Redis: what a publish does that was not made so durable in time. @defaultValue "accept" */
      onDurabilityMissed?: "accept" | "refuse";
      /** Redis: replicas that have a message before it is accepted, with `durability: "replicated"`. @defaultValue 1 */
      replicas?: number;
      /** Redis: milliseconds until a message counts as not durable. @defaultValue 1 000 */
      durabilityTimeoutMs?: number;
      /** Redis: milliseconds until a command without an answer is given up. @defaultValue 5 000 */
      requestTimeoutMs?: number;
    };
  locks?: RedisAddress & {
    /** There is no runtime without locks: only `true` is accepted. */
    enabled?: true;
    /** @defaultValue "local" */
    backend?: "local" | "redis";
    /** @defaultValue "hebra" */
    namespace?: string;
    /** Milliseconds that a lock outlives its process. @defaultValue 120 000 */
    ttlMs?: number;
    /** Milliseconds that somebody waits for a lock. @defaultValue 30 000 */
    waitMs?: number;
    /** Redis: milliseconds between two looks of whoever waits. @defaultValue 1 000 */
    pollMs?: number;
    /** Redis: milliseconds until a command without an answer is given up. @defaultValue 5 000 */
    requestTimeoutMs?: number;
  };
  /** `url` is for PostgreSQL too, where it is another name of `connectionString`. */
  store?: RedisAddress & {
    /** `local` is SQLite in `path`. @defaultValue "local" */
    backend?: "local" | "memory" | "sqlite" | "postgres" | "redis";
    /**
     * For SQLite. With PostgreSQL or Redis it names the file of the local deployment before, which must not hold
     * conversations that the shared store lacks. @defaultValue ".hebra/threads.sqlite"
     */
    path?: string;
    /** For PostgreSQL and Redis: start although the file in `path` holds other conversations. @defaultValue false */
    ignoreLocal?: boolean;
    /** For PostgreSQL. @defaultValue "public" */
    schema?: string;
    /** For PostgreSQL: connections that each process may hold. @defaultValue 10 */
    poolSize?: number;
    /**
     * For PostgreSQL: `false` behind a pooler in transaction mode that carries no prepared statements. @defaultValue
     * true
     */
    prepare?: boolean;
    /** For PostgreSQL: where it is. */
    connectionString?: string;
    /** For PostgreSQL: a directory of PGlite instead of a server. */
    pglite?: string;
    /** For PostgreSQL and SQLite: milliseconds that a write waits for another. @defaultValue 5 000 */
    busyMs?: number;
    /** For SQLite. @defaultValue "FULL" */
    synchronous?: "FULL" | "NORMAL";
    /** For SQLite. @defaultValue "libsql" */
    driver?: (typeof sqliteDriverNames)[number];
    /** For Redis. @defaultValue "hebra:thread" */
    namespace?: string;
    /** For PostgreSQL and SQLite. @defaultValue `manual` for PostgreSQL */
    migrations?: "automatic" | "manual";
  };
  /** Processes that run a worker. @defaultValue 1 */
  workers?: number;
  /** @defaultValue false */
  oneHost?: boolean;
  /** @defaultValue 30 000 */
  sweepMs?: number;
  /** As for `createRuntime`. @defaultValue `store` where the store outlives the process */
  intake?: "store" | "bus";
  /** As for `createRuntime`. @defaultValue 65 536, or a quarter of `bus.maxMessageBytes` where that is less */
  maxReplyBytes?: number;
  /** As for `createRuntime`. @defaultValue 40 */
  historyItems?: number;
  /** As for `createRuntime`. @defaultValue `bus.leaseMs`, or 30 000 */
  leaseTtlMs?: number;
  /** As for `createRuntime`. */
  failureText?: string;
  /** As for `createRuntime`. */
  busyText?: string;
  /** What the deployment promises; see {@link RuntimeOptions.targets}. */
  targets?: RuntimeOptions["targets"];
}

/** What a configuration cannot say. */
export type RuntimeParts = Omit<RuntimeOptions, "store" | "bus" | "locks" | "workers" | "oneHost" | "sweepMs">;

/** @throws HebraError `INVALID_OPTIONS`, with a did-you-mean for what is unknown */
export function parseRuntimeConfig(config: RuntimeConfig): ParsedConfig {
  return parseOptions("runtime config", configSchema, config);
}

/**
 * Opens the bus of a configuration alone, for whoever looks after it; nothing for a local one that is as it is made by
 * itself. @throws HebraError as the factory
 */
export async function openBus(
  settings: ParsedConfig["bus"],
  parts: Pick<RuntimeParts, "clock"> = {},
): Promise<Bus | undefined> {
  const { backend, url: _url, connection: _connection, cluster: _cluster, maxAttempts, retry, ...options } = settings;
  const behaviour = {
    ...options,
    ...given({
      clock: parts.clock,
      retry: retry === undefined && maxAttempts === undefined ? undefined : given({ maxAttempts, ...retry }),
    }),
  };
  const own = given(behaviour);
  if (backend === "local")
    return Object.keys(own).every((name) => name === "clock")
      ? undefined
      : ((await import("@hebra/bus")).localBus(own as BusOptions) as Bus);
  const { redisBus } = await import("@hebra/bus/redis");
  return redisBus({ ...addressOf(settings), ...own } as RedisBusOptions) as Bus;
}

/** Opens the locks of a configuration; nothing for local ones. @throws HebraError as the factory */
export async function openLocks(settings: ParsedConfig["locks"]): Promise<LockManager | undefined> {
  const { enabled: _enabled, backend, url: _url, connection: _connection, cluster: _cluster, ...options } = settings;
  const own = given(options);
  if (backend === "local")
    return Object.keys(own).length === 0
      ? undefined
      : (await import("@hebra/lock")).localLocks(own as LockManagerOptions);
  const { redisLocks } = await import("@hebra/lock/redis");
  return redisLocks({ ...addressOf(settings), ...own } as RedisLocksOptions);
}

/** Opens the store of a configuration alone, for exports and imports. @throws HebraError as the store's factory */
export async function openStore(settings: ParsedConfig["store"]): Promise<ThreadStore> {
  const { backend, path, url, schema: name, poolSize, prepare, namespace, migrations, busyMs } = settings;
  switch (backend) {
    case "memory":
      return (await import("../store/memory.ts")).memoryStore();
    case "postgres":
      return (await import("../store/postgres.ts")).postgresStore({
        ...given({
          connectionString: settings.connectionString ?? url,
          pglite: settings.pglite,
          schema: name,
          poolSize,
          prepare,
          migrations,
          busyMs,
        }),
      });
    case "redis":
      return (await import("../store/redis.ts")).redisStore({ ...addressOf(settings), ...given({ namespace }) });
    default: {
      const { mkdirSync } = await import("node:fs");
      const { dirname } = await import("node:path");
      if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return (await import("../store/sqlite.ts")).sqliteStore({
        path,
        ...given({ migrations, busyMs, synchronous: settings.synchronous, driver: settings.driver }),
      });
    }
  }
}

/** A piece of a reply has to fit into a message of the bus, beside its envelope. */
export function replyBytes({ maxReplyBytes, bus }: ParsedConfig): number | undefined {
  if (maxReplyBytes !== undefined || bus.maxMessageBytes === undefined) return maxReplyBytes;
  return Math.max(64, Math.min(65_536, Math.floor(bus.maxMessageBytes / 4)));
}

/**
 * Opens what a configuration names, and a runtime over it. From local to distributed and back is a change of the
 * configuration alone. Its `close` closes everything.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`; `LOCAL_STORE_LEFT` for a shared store while the local one
 * holds conversations that it lacks; `UNSUPPORTED` for a mix in which conversations could get lost
 * or mixed up; and what a store throws that cannot be opened
 *
 * @example
 * ```ts
 * import { defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { openRuntime } from "@hebra/thread/runtime";
 *
 * const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true })
 * });
 * const runtime = await openRuntime({ store: { backend: "memory" } }, { threads: [desk] });
 * const turn = await runtime.react(desk, { id: "1", text: "Hi" }, { address: { key: "ana" } });
 * console.log((await turn.result).text); // Hello.
 * await runtime.close();
 * ```
 */
export async function openRuntime(config: RuntimeConfig, parts: RuntimeParts): Promise<Runtime> {
  const parsed = parseRuntimeConfig(config);
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const bus = await openBus(parsed.bus, parts);
    if (bus !== undefined) closers.push(() => bus.close());
    const locks = await openLocks(parsed.locks);
    if (locks !== undefined) closers.push(() => locks.close());
    const store = await openStore(parsed.store);
    closers.push(() => store.close());
    if (parsed.store.ignoreLocal !== true)
      await assertNothingLeftBehind(parsed.store.path, store, (path) =>
        openStore(parseRuntimeConfig({ store: { backend: "sqlite", path } }).store),
      );
    const { workers, oneHost, sweepMs, intake, historyItems, targets, failureText, busyText } = parsed;
    const runtime = createRuntime({
      ...given({ historyItems, failureText, busyText, targets, intake, maxReplyBytes: replyBytes(parsed) }),
      ...parts,
      store,
      workers,
      oneHost,
      ...given({
        bus,
        locks,
        sweepMs,
        leaseTtlMs:
          parsed.leaseTtlMs ?? (parsed.bus.leaseMs === undefined ? undefined : Math.max(100, parsed.bus.leaseMs)),
      }),
    });
    const { close } = runtime;
    return Object.assign(runtime, {
      async close() {
        await close();
        await closeAll();
      },
    });
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}
