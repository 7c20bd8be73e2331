import { HebraError, parseOptions, type JsonValue } from "@hebra/core";
import * as z from "zod";
import type { Bus } from "../bus.ts";
import type { Durability } from "../durability.ts";
import { busOptionsShape, parseBusOptions, withBusRules, type BusOptions } from "../bus-options.ts";
import { createBus } from "../client/create-bus.ts";
import { ENVELOPE_VERSION } from "../envelope.ts";
import { redisBackend } from "./backend.ts";
import { connector, type RedisConnection } from "./connect.ts";

/** Where the mailboxes are and how they behave. Processes that share a namespace pass the same behaviour. */
export interface RedisBusOptions extends BusOptions, RedisConnection {
  /** What every key begins with. @defaultValue `hebra` */
  namespace?: string;
  /**
   * Into how many parts the conversations are divided; on a cluster, parts are what is spread over its masters. Fixed
   * by the
   * first process of a namespace. @defaultValue 1, on a cluster two for each master
   */
  partitions?: number;
  /** The durability of a publish that names none. @defaultValue `memory` */
  durability?: Durability;
  /** What a publish does that did not reach its durability in time, unless it says otherwise. @defaultValue `accept` */
  onDurabilityMissed?: "accept" | "refuse";
  /** Replicas that must have a message for `replicated`. @defaultValue 1 */
  replicas?: number;
  /** Milliseconds to wait for replicas or the disk; the receipt says whether it was reached. @defaultValue 1 000 */
  durabilityTimeoutMs?: number;
  /** Milliseconds after which an unanswered request fails with `UNREACHABLE`. @defaultValue 5 000 */
  requestTimeoutMs?: number;
}

/** A bus on Redis. */
export interface RedisBus<Inbound = JsonValue, Outbound = JsonValue> extends Bus<Inbound, Outbound> {
  /**
   * Resolves when Redis has answered and its format is known.
   *
   * @throws HebraError `UPGRADE_REQUIRED`, `DURABILITY_UNSUPPORTED`, `INVALID_OPTIONS`: these do not pass by
   * themselves.
   */
  ready(): Promise<void>;
  /** Lets every process write this version of the envelope: for an operator, once all processes read it. */
  raiseFormat(version: number): Promise<void>;
}

const anObject = z.custom<object>((value) => typeof value === "object" && value !== null, "must be an object");
const own = {
  url: z
    .string()
    .regex(/^rediss?:\/\//, "must begin with redis:// or rediss://")
    .optional(),
  connection: anObject.optional(),
  cluster: z.strictObject({ nodes: z.array(z.unknown()).min(1), options: anObject.optional() }).optional(),
  client: anObject.optional(),
  namespace: z
    .string()
    .regex(/^[^{}\s]{1,100}$/, "must be 1 to 100 characters without braces and white space")
    .default("hebra"),
  partitions: z.number().int().min(1).max(256).optional(),
  durability: z.enum(["memory", "replicated", "fsync"]).default("memory"),
  onDurabilityMissed: z.enum(["accept", "refuse"]).default("accept"),
  replicas: z.number().int().min(1).max(100).default(1),
  durabilityTimeoutMs: z.number().int().min(1).default(1_000),
  requestTimeoutMs: z.number().int().min(10).default(5_000),
};
const schema = withBusRules(z.strictObject({ ...busOptionsShape, ...own })).refine(
  ({ url, connection, cluster, client }) =>
    [url, connection, cluster, client].filter((it) => it !== undefined).length === 1,
  { message: "exactly one of `url`, `connection`, `cluster` and `client` is needed" },
);

/**
 * The bus on a Redis server (6.2 or later), a sentinel-guarded one or a Redis Cluster. Publishing is one script call,
 * joined
 * with others that come close; settling and claiming share another. Time is the server's.
 *
 * When the server is gone, publishing fails with `UNREACHABLE`, consuming stops, `health()` is not ready, and all goes
 * on
 * by itself when it is back. Set `maxmemory-policy noeviction`: an evicted key is lost work. Replication is
 * asynchronous: a
 * failover may lose what was accepted last, unless `durability` is `replicated`.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when ioredis is not installed and no client was passed.
 *
 * @example
 * ```ts
 * import { redisBus } from "@hebra/bus/redis";
 *
 * export async function work(url: string, signal: AbortSignal) {
 *   const bus = redisBus({ url, namespace: "shop" });
 *   for await (const delivery of bus.consumeInbound({ concurrency: 20, signal })) {
 *     await delivery.ack({ outbound: [{ gatewayId: "main", payload: "done" }] });
 *   }
 *   await bus.close();
 * }
 * ```
 */
export function redisBus<Inbound = JsonValue, Outbound = JsonValue>(
  options: RedisBusOptions,
): RedisBus<Inbound, Outbound> {
  return openRedisBus(options, {}) as unknown as RedisBus<Inbound, Outbound>;
}

/** What only tests set. */
export interface RedisBusInternals {
  readonly time?: () => number;
  readonly newestFormat?: number;
  readonly wrap?: (backend: ReturnType<typeof redisBackend>) => ReturnType<typeof redisBackend>;
}

/** {@link redisBus} with the seams that tests need. */
export function openRedisBus(options: RedisBusOptions, internals: RedisBusInternals): RedisBus {
  const parsed = parseOptions("redisBus", schema, options);
  const {
    url,
    connection,
    cluster,
    client,
    namespace,
    partitions,
    durability,
    onDurabilityMissed,
    replicas,
    durabilityTimeoutMs,
    requestTimeoutMs,
    ...behaviour
  } = parsed;
  const settings = parseBusOptions("redisBus", behaviour as BusOptions);
  const newestFormat = internals.newestFormat ?? ENVELOPE_VERSION;
  const made = redisBackend({
    connect: connector(options),
    namespace,
    partitions,
    durability,
    replicas,
    durabilityTimeoutMs,
    requestTimeoutMs,
    settings,
    newestFormat,
    ...(internals.time === undefined ? {} : { time: internals.time }),
  });
  const backend = internals.wrap?.(made) ?? made;
  const { bus, started } = createBus({
    backend,
    settings,
    durability,
    onDurabilityMissed,
    newestFormat,
    startTimeoutMs: requestTimeoutMs,
  });
  return Object.assign(bus, {
    ready: () => started,
    async raiseFormat(version: number) {
      await started;
      if (bus.health().state === "closed") throw new HebraError("CLOSED", "The bus was closed.");
      await backend.raiseFormat(version);
    },
  });
}
