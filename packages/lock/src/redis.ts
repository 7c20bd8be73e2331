import { assertId, createIdGenerator, errorCode, HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import { assertFence } from "./fence.ts";
import { HeldLease, type LeaseBackend } from "./held-lease.ts";
import type { Lease, LockManager } from "./lock.ts";
import { managerShape, readAcquireOptions, type LockManagerOptions } from "./options.ts";
import { outcomes } from "./outcomes.ts";
import { connectRedis, type RedisConnection } from "./redis/connect.ts";
import { lockKeys, type LockKeys } from "./redis/keys.ts";
import { createScriptRunner } from "./redis/run-script.ts";
import { scripts } from "./redis/scripts.generated.ts";
import { waitInLine, type Waiter } from "./redis/wait-in-line.ts";
import { createTimerSlots } from "./timer-slots.ts";

export type { IoredisClient, RedisCommands } from "./redis/commands.ts";
export type { RedisConnection } from "./redis/connect.ts";

/** Where the locks are and how they behave. */
export interface RedisLocksOptions extends LockManagerOptions, RedisConnection {
  /** What every key begins with. Processes that share locks share it. @defaultValue `hebra` */
  namespace?: string;
  /**
   * Milliseconds between two signs of life of one who waits, at most; a third of the ttl where that is less. After
   * three
   * without one the server passes it over. From 50 to 10 000.
   *
   * @defaultValue 1 000
   */
  pollMs?: number;
  /** Milliseconds after which an unanswered request fails with `UNREACHABLE`. @defaultValue 5 000 */
  requestTimeoutMs?: number;
}

/** How the server knows a lease. */
interface Handle {
  keys: LockKeys;
  token: string;
}

/** Milliseconds between two tries to give something back while the server does not answer, at most. */
const GIVE_BACK_EVERY_MS = 500;

const anObject = z.custom<object>((value) => typeof value === "object" && value !== null, "must be an object");

const schema = z
  .strictObject({
    ...managerShape,
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
    pollMs: z.number().int().min(50).max(10_000).default(1000),
    requestTimeoutMs: z.number().min(10).default(5000),
  })
  .refine(
    ({ url, connection, cluster, client }) =>
      [url, connection, cluster, client].filter((it) => it !== undefined).length === 1,
    {
      message: "exactly one of `url`, `connection`, `cluster` and `client` is needed",
    },
  );

/**
 * Locks on a Redis server, a sentinel-guarded one or a Redis Cluster; version 6.2 or later. Taking a free lock is one
 * round trip,
 * giving it back another. Time is the server's. Where Redis fails over to a replica that lags, two may hold a lock: the
 * fence is what protects data then, as always.
 *
 * When the server is gone, `acquire` fails with `UNREACHABLE` and leases are lost as their renewal deadline passes.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when ioredis is not installed and no client was passed.
 *
 * @example
 * ```ts
 * import { lockKey } from "@hebra/lock";
 * import { redisLocks } from "@hebra/lock/redis";
 *
 * export async function nightly(url: string) {
 *   const locks = redisLocks({ url, namespace: "shop" });
 *   const lease = await locks.acquire(lockKey("acme", "report"), { waitMs: 0 });
 *   try {
 *     return lease.fence;
 *   } finally {
 *     await lease.release();
 *     await locks.close();
 *   }
 * }
 * ```
 */
export function redisLocks(options: RedisLocksOptions): LockManager {
  const { clock, namespace, requestTimeoutMs, pollMs, ...defaults } = parseOptions("redisLocks", schema, options);
  const timers = createTimerSlots(clock);
  const commands = connectRedis(options);
  const run = createScriptRunner(commands, timers, requestTimeoutMs);
  const managerId = createIdGenerator()();
  // Where the server tells this manager which of its waiters it has served.
  const channel = `${namespace}:lock-served:${managerId}`;
  const held = new Map<string, HeldLease<Handle>>();
  const waiting = new Map<string, Waiter>();
  const givingBack = new Set<Promise<unknown>>();
  let requests = 0;
  let closed = false;
  let subscription: Promise<void> | undefined;

  /**
   * Gives back what a token holds or stands in line for. While the server does not answer it is asked again, as a
   * request that was given up may still be executed. Only `close` waits for this; both end by themselves as well.
   */
  function giveBack(keys: LockKeys, token: string): void {
    const request: Promise<unknown> = giveBackBefore(keys, token, clock.monotonic() + defaults.ttlMs)
      .catch(() => {})
      .finally(() => givingBack.delete(request));
    givingBack.add(request);
  }

  async function giveBackBefore(keys: LockKeys, token: string, giveUpAt: number): Promise<void> {
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, GIVE_BACK_EVERY_MS)) {
      try {
        await run(scripts.release, keys, [token]);
        return;
      } catch (error) {
        if (closed || clock.monotonic() + waitMs > giveUpAt || errorCode(error) !== "UNREACHABLE") throw error;
        await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
      }
    }
  }

  const backend: LeaseBackend<Handle> = {
    clock,
    timers,
    async renew({ handle }, wanted) {
      return (await run(scripts.extend, [handle.keys[0]], [handle.token, String(wanted)])) === 1;
    },
    async release({ handle }) {
      await run(scripts.release, handle.keys, [handle.token]);
    },
    ended({ handle }, how) {
      held.delete(handle.token);
      // A renewal that was given up may still have been executed, or will be.
      if (how === "lost") giveBack(handle.keys, handle.token);
    },
  };

  function hold(key: string, handle: Handle, fence: number, ttlMs: number, since: number, grantedMs?: number): Lease {
    const lease = new HeldLease(backend, { key, handle, fence, ttlMs, since, grantedMs });
    held.set(handle.token, lease);
    return lease;
  }

  function onMessage(message: string): void {
    const [token, fence] = message.split(" ");
    waiting.get(token!)?.served(Number(fence));
  }

  function listen(): void {
    subscription ??= commands.subscribe(channel, onMessage).then(
      // Messages sent before are lost.
      () => waiting.forEach((waiter) => waiter.poll()),
      // Waiters poll in any case; the next one tries again.
      () => void (subscription = undefined),
    );
  }

  return {
    async acquire(key, acquireOptions) {
      assertId(key, "lock key");
      const { ttlMs, waitMs, signal } = readAcquireOptions(acquireOptions, defaults);
      if (closed) throw outcomes.closed();
      if (signal?.aborted) throw outcomes.aborted(key, signal);
      const keys = lockKeys(namespace, key);
      const token = `${managerId}:${(++requests).toString(36)}`;

      let sentAt = 0;
      const ask = async () => {
        sentAt = clock.monotonic();
        const first = await run(scripts.acquire, [keys[0]], [token, String(ttlMs)]);
        if (waitMs > 0 || (first as unknown[])[0] !== 1) return first;
        // Free, and others were in line: it is theirs only if one of them is still there.
        sentAt = clock.monotonic();
        return run(scripts.wait, keys, [token, String(ttlMs), "0", channel]);
      };
      const isLate = () => clock.monotonic() - sentAt >= ttlMs * 0.9;
      let answer: unknown;
      try {
        answer = await ask();
        // The first request waits for the connection. Asking again under the same token renews what was granted.
        if (isLate()) answer = await ask();
        if (isLate())
          throw new HebraError("UNREACHABLE", `Redis took nearly the whole ttl of ${ttlMs} ms to answer.`, {
            details: { key, ttlMs },
          });
        if (closed) throw outcomes.closed();
        if (signal?.aborted) throw outcomes.aborted(key, signal);
      } catch (error) {
        giveBack(keys, token);
        throw closed ? outcomes.closed() : error;
      }
      if (typeof answer === "number") return hold(key, { keys, token }, answer, ttlMs, sentAt);
      if (waitMs === 0) throw outcomes.timeout(key, 0);

      const interval = Math.floor(Math.min(pollMs, ttlMs / 3));
      const graceMs = 3 * interval;
      listen();
      return new Promise<Lease>((resolve, reject) => {
        const leave = () => {
          if (!held.has(token)) giveBack(keys, token);
        };
        const waiter = waitInLine({
          key,
          waitMs,
          signal,
          clock,
          sentAt,
          pollMs: interval,
          graceMs,
          leave,
          ask: () => run(scripts.wait, keys, [token, String(ttlMs), String(graceMs), channel]),
          granted(fence, since, grantedMs) {
            waiting.delete(token);
            resolve(hold(key, { keys, token }, fence, ttlMs, since, grantedMs));
          },
          refused(error) {
            waiting.delete(token);
            reject(error);
          },
        });
        waiting.set(token, waiter);
      });
    },
    async seed(key, lastFence) {
      assertId(key, "lock key");
      assertFence(lastFence);
      if (closed) throw outcomes.closed();
      await run(scripts.seed, [lockKeys(namespace, key)[0]], [String(lastFence)]);
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const waiter of [...waiting.values()]) waiter.refuse(outcomes.closed());
      for (const lease of [...held.values()]) lease.lose("its manager was closed");
      await Promise.all(givingBack);
      await commands.close();
      timers.clear();
    },
  };
}
