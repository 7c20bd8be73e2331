import { parseOptions } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { LockManager } from "@hebra/lock";
import * as z from "zod";
import type { ThreadStore } from "../store/store.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";

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
    /** Milliseconds that a conversation stays with a worker that fell silent. @defaultValue 30 000 */
    leaseMs?: number;
    /** Deliveries of one message before it is given up. @defaultValue 5 */
    maxAttempts?: number;
    /** Messages that one conversation may have waiting. @defaultValue 10 000 */
    maxBacklog?: number;
    /** @defaultValue "memory": what the server's own persistence gives */
    durability?: "memory" | "replicated" | "fsync";
  };
  locks?: RedisAddress & {
    /** @defaultValue "local" */
    backend?: "local" | "redis";
    /** @defaultValue "hebra" */
    namespace?: string;
  };
  /** `url` is for PostgreSQL too. */
  store?: RedisAddress & {
    /** `local` is SQLite in `path`. @defaultValue "local" */
    backend?: "local" | "memory" | "sqlite" | "postgres" | "redis";
    /** For SQLite. @defaultValue ".hebra/threads.sqlite" */
    path?: string;
    /** For PostgreSQL. @defaultValue "public" */
    schema?: string;
    /** For PostgreSQL: connections that each process may hold. @defaultValue 10 */
    poolSize?: number;
    /**
     * For PostgreSQL: `false` behind a pooler in transaction mode that carries no prepared statements. @defaultValue
     * true
     */
    prepare?: boolean;
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
}

/** What a configuration cannot say. */
export type RuntimeParts = Omit<RuntimeOptions, "store" | "bus" | "locks" | "workers" | "oneHost" | "sweepMs">;

const address = {
  url: z.string().min(1).optional(),
  connection: z.record(z.string(), z.unknown()).optional(),
  cluster: z
    .strictObject({
      nodes: z.array(z.union([z.string(), z.strictObject({ host: z.string(), port: z.number() })])).min(1),
      options: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
};
const schema = z
  .strictObject({
    bus: z
      .strictObject({
        backend: z.enum(["local", "redis"]).default("local"),
        ...address,
        namespace: z.string().optional(),
        leaseMs: z.number().int().min(50).optional(),
        maxAttempts: z.number().int().min(1).optional(),
        maxBacklog: z.number().int().min(1).optional(),
        durability: z.enum(["memory", "replicated", "fsync"]).optional(),
      })
      .prefault({}),
    locks: z
      .strictObject({
        backend: z.enum(["local", "redis"]).default("local"),
        ...address,
        namespace: z.string().optional(),
      })
      .prefault({}),
    store: z
      .strictObject({
        backend: z.enum(["local", "memory", "sqlite", "postgres", "redis"]).default("local"),
        path: z.string().min(1).default(".hebra/threads.sqlite"),
        ...address,
        schema: z.string().optional(),
        poolSize: z.number().int().min(1).optional(),
        prepare: z.boolean().optional(),
        namespace: z.string().optional(),
        migrations: z.enum(["automatic", "manual"]).optional(),
      })
      .prefault({}),
    workers: z.number().int().min(0).default(1),
    oneHost: z.boolean().default(false),
    sweepMs: z.number().min(100).optional(),
  })
  .superRefine((config, context) => {
    for (const part of ["bus", "locks", "store"] as const) {
      const { backend, url } = config[part];
      const addresses = Object.keys(addressOf(config[part]));
      if (backend === "postgres" && url === undefined)
        context.addIssue({ code: "custom", path: [part, "url"], message: "is needed for the backend postgres" });
      if (backend === "redis" && addresses.length === 0)
        context.addIssue({
          code: "custom",
          path: [part, "url"],
          message: "is needed for the backend redis, or a `connection` or a `cluster`",
        });
      if (addresses.length > 1)
        context.addIssue({
          code: "custom",
          path: [part],
          message: `has ${addresses.join(" and ")}: exactly one is needed`,
        });
    }
  });

/** {@link RuntimeConfig} with every default in place. */
export type ParsedConfig = z.output<typeof schema>;

/** @throws HebraError `INVALID_OPTIONS`, with a did-you-mean for what is unknown */
export function parseRuntimeConfig(config: RuntimeConfig): ParsedConfig {
  return parseOptions("runtime config", schema, config);
}

const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

/** What a configuration says of where its server is. */
function addressOf({ url, connection, cluster }: ParsedConfig["bus" | "locks" | "store"]) {
  return given({
    url,
    connection,
    cluster: cluster && { nodes: cluster.nodes, ...given({ options: cluster.options }) },
  });
}

/**
 * Opens the bus of a configuration alone, for whoever looks after it; nothing for a local one that is as it is made by
 * itself. @throws HebraError as the factory
 */
export async function openBus(
  settings: ParsedConfig["bus"],
  parts: Pick<RuntimeParts, "clock"> = {},
): Promise<Bus | undefined> {
  const { backend, namespace, leaseMs, maxAttempts, maxBacklog, durability } = settings;
  const behaviour = given({
    leaseMs,
    maxBacklog,
    clock: parts.clock,
    retry: maxAttempts === undefined ? undefined : { maxAttempts },
  });
  if (backend === "local")
    return Object.keys(given({ leaseMs, maxBacklog, maxAttempts })).length === 0
      ? undefined
      : ((await import("@hebra/bus")).localBus(behaviour) as Bus);
  const { redisBus } = await import("@hebra/bus/redis");
  return redisBus({ ...addressOf(settings), ...given({ namespace, durability }), ...behaviour }) as Bus;
}

/** Opens the locks of a configuration; nothing for local ones. @throws HebraError as the factory */
export async function openLocks(settings: ParsedConfig["locks"]): Promise<LockManager | undefined> {
  if (settings.backend === "local") return undefined;
  const { redisLocks } = await import("@hebra/lock/redis");
  return redisLocks({ ...addressOf(settings), ...given({ namespace: settings.namespace }) });
}

/** Opens the store of a configuration alone, for exports and imports. @throws HebraError as the store's factory */
export async function openStore(settings: ParsedConfig["store"]): Promise<ThreadStore> {
  const { backend, path, url, schema: name, poolSize, prepare, namespace, migrations } = settings;
  switch (backend) {
    case "memory":
      return (await import("../store/memory.ts")).memoryStore();
    case "postgres":
      return (await import("../store/postgres.ts")).postgresStore({
        connectionString: url!,
        ...given({ schema: name, poolSize, prepare, migrations }),
      });
    case "redis":
      return (await import("../store/redis.ts")).redisStore({ ...addressOf(settings), ...given({ namespace }) });
    default: {
      const { mkdirSync } = await import("node:fs");
      const { dirname } = await import("node:path");
      if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return (await import("../store/sqlite.ts")).sqliteStore({ path, ...given({ migrations }) });
    }
  }
}

/**
 * Opens what a configuration names, and a runtime over it. From local to distributed and back is a change of the
 * configuration alone. Its `close` closes everything.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`; `UNSUPPORTED` for a mix in which conversations could get lost
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
    const { workers, oneHost, sweepMs } = parsed;
    const runtime = createRuntime({
      ...parts,
      store,
      workers,
      oneHost,
      ...given({
        bus,
        locks,
        sweepMs,
        leaseTtlMs: parsed.bus.leaseMs === undefined ? undefined : Math.max(100, parsed.bus.leaseMs),
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
