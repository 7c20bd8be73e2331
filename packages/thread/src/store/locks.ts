import { assertId, createIdGenerator, HebraError, parseOptions, type Clock } from "@hebra/core";
import type { Lease, LockManager, LockManagerOptions } from "@hebra/lock";
import {
  assertFence,
  createTimerSlots,
  HeldLease,
  managerShape,
  outcomes,
  readAcquireOptions,
  waitInLine,
  type LeaseBackend,
  type Waiter,
} from "@hebra/lock/adapter";
import * as z from "zod";
import type { LeasePort, LeaseRequest } from "./leases.ts";
import type { ThreadStore } from "./store.ts";

/** How {@link storeLocks} behave. */
export interface StoreLocksOptions extends LockManagerOptions {
  /**
   * Milliseconds between two signs of life of one who waits, at most; a third of the ttl where that is less. After
   * three
   * without one it is passed over.
   *
   * @defaultValue 250
   */
  pollMs?: number;
}

const schema = z.strictObject({ ...managerShape, pollMs: z.number().int().min(20).max(10_000).default(250) });

/**
 * Locks kept as lease rows beside the threads of a store: for several processes without a bus. They fulfil the contract
 * of
 * `@hebra/lock`. Time is the database's. The store stays open when the locks are closed.
 *
 * @throws HebraError `INVALID_OPTIONS`, and `UNSUPPORTED` for a store that keeps no leases
 *
 * @example
 * ```ts
 * import { storeLocks } from "@hebra/thread";
 * import { sqliteStore } from "@hebra/thread/store/sqlite";
 *
 * const store = await sqliteStore({ path: ":memory:" });
 * const locks = storeLocks(store);
 * const lease = await locks.acquire("acme/telegram:991", { waitMs: 0 });
 * await lease.release();
 * await locks.close();
 * await store.close();
 * ```
 */
export function storeLocks(store: Pick<ThreadStore, "name" | "leases">, options: StoreLocksOptions = {}): LockManager {
  const { clock, pollMs, ...defaults } = parseOptions("storeLocks", schema, options);
  if (store.leases === undefined)
    throw new HebraError(
      "UNSUPPORTED",
      `The ${store.name} store keeps no leases. Use localLocks, redisLocks, or another store.`,
    );
  return createManager(store.leases, clock, pollMs, defaults);
}

function createManager(
  port: LeasePort,
  clock: Clock,
  pollMs: number,
  defaults: { ttlMs: number; waitMs: number },
): LockManager {
  const timers = createTimerSlots(clock);
  const managerId = createIdGenerator()();
  const held = new Map<string, HeldLease<string>>();
  const waiting = new Set<Waiter>();
  const givingBack = new Set<Promise<unknown>>();
  let requests = 0;
  let closed = false;

  const ask = async (key: string, request: LeaseRequest) => port.request(key, request);

  /** Gives back what a token holds or stands in line for. Only `close` waits for it: both end by themselves as well. */
  const giveBack = (key: string, token: string): void => {
    const request: Promise<unknown> = ask(key, { ask: "release", token })
      .catch(() => {})
      .finally(() => givingBack.delete(request));
    givingBack.add(request);
  };

  const backend: LeaseBackend<string> = {
    clock,
    timers,
    renew: async ({ key, handle }, ttlMs) =>
      (await ask(key, { ask: "extend", token: handle, ttlMs })).fence !== undefined,
    release: async ({ key, handle }) => void (await ask(key, { ask: "release", token: handle })),
    ended({ key, handle }, how) {
      held.delete(handle);
      if (how === "lost") giveBack(key, handle);
    },
  };

  const hold = (key: string, token: string, fence: number, ttlMs: number, since: number, grantedMs?: number): Lease => {
    const lease = new HeldLease(backend, { key, handle: token, fence, ttlMs, since, grantedMs });
    held.set(token, lease);
    return lease;
  };

  return {
    async acquire(key, acquireOptions) {
      assertId(key, "lock key");
      const { ttlMs, waitMs, signal } = readAcquireOptions(acquireOptions, defaults);
      if (closed) throw outcomes.closed();
      if (signal?.aborted) throw outcomes.aborted(key, signal);
      const token = `${managerId}:${(++requests).toString(36)}`;
      const interval = Math.floor(Math.min(pollMs, ttlMs / 3));
      const graceMs = 3 * interval;
      const sentAt = clock.monotonic();
      let fence: number | undefined;
      try {
        ({ fence } = await ask(key, { ask: "take", token, ttlMs, ...(waitMs > 0 && { graceMs }) }));
        if (clock.monotonic() - sentAt >= ttlMs * 0.9)
          throw new HebraError("UNREACHABLE", `The store took nearly the whole ttl of ${ttlMs} ms to answer.`, {
            details: { key, ttlMs },
          });
        if (closed) throw outcomes.closed();
        if (signal?.aborted) throw outcomes.aborted(key, signal);
      } catch (error) {
        giveBack(key, token);
        throw closed ? outcomes.closed() : error;
      }
      if (fence !== undefined) return hold(key, token, fence, ttlMs, sentAt);
      if (waitMs === 0) throw outcomes.timeout(key, 0);
      return new Promise<Lease>((resolve, reject) => {
        const waiter = waitInLine({
          key,
          waitMs,
          signal,
          clock,
          sentAt,
          pollMs: interval,
          graceMs,
          async ask() {
            const answer = await ask(key, { ask: "take", token, ttlMs, graceMs });
            return answer.fence ?? [answer.freeInMs];
          },
          leave() {
            if (!held.has(token)) giveBack(key, token);
          },
          granted(granted, since, grantedMs) {
            end();
            resolve(hold(key, token, granted, ttlMs, since, grantedMs));
          },
          refused(error) {
            end();
            reject(error);
          },
        });
        const stop = port.watch(key, () => waiter.poll());
        const end = () => {
          waiting.delete(waiter);
          stop();
        };
        waiting.add(waiter);
      });
    },
    async seed(key, lastFence) {
      assertId(key, "lock key");
      assertFence(lastFence);
      if (closed) throw outcomes.closed();
      await ask(key, { ask: "seed", fence: lastFence });
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const waiter of [...waiting]) waiter.refuse(outcomes.closed());
      for (const lease of [...held.values()]) lease.lose("its manager was closed");
      await Promise.all(givingBack);
      timers.clear();
    },
  };
}
