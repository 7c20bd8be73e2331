import { assertId, parseOptions } from "@hebra/core";
import * as z from "zod";
import { assertFence, createFenceSource } from "./fence.ts";
import { HeldLease, type LeaseBackend } from "./held-lease.ts";
import type { Lease, LockManager } from "./lock.ts";
import { managerShape, readAcquireOptions, type LockManagerOptions } from "./options.ts";
import { outcomes } from "./outcomes.ts";
import { createTimerSlots } from "./timer-slots.ts";

const schema = z.strictObject(managerShape);

interface Waiter {
  ttlMs: number;
  serve(lease: Lease): void;
  refuse(error: Error): void;
}

interface Entry {
  holder: HeldLease<Entry> | undefined;
  /** First come, first served. A set, so that who gives up leaves at no cost; made when somebody waits. */
  line: Set<Waiter> | undefined;
}

/**
 * Locks within this process: the semantics of every other backend, with nothing to connect to. A lease that could not
 * be
 * renewed in time, because the process was stopped or its event loop blocked, is lost here as well.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { localLocks, lockKey, withLock } from "@hebra/lock";
 *
 * const locks = localLocks();
 * await withLock(locks, lockKey("acme", "award_42"), async ({ fence }) => {
 *   console.log(fence > 0); // true
 * });
 * await locks.close();
 * ```
 */
export function localLocks(options: LockManagerOptions = {}): LockManager {
  const { clock, ...defaults } = parseOptions("localLocks", schema, options);
  const fences = createFenceSource();
  const entries = new Map<string, Entry>();
  let closed = false;

  const backend: LeaseBackend<Entry> = {
    clock,
    timers: createTimerSlots(clock),
    renew: (lease) => lease.handle.holder === lease && clock.monotonic() < lease.expiresAt,
    // What `ended` has done.
    release() {},
    ended(lease) {
      if (lease.handle.holder === lease) handOver(lease.key, lease.handle);
    },
  };

  function grant(key: string, entry: Entry, ttlMs: number): Lease {
    const fence = fences.next(key, clock.now());
    const lease = new HeldLease(backend, {
      key,
      handle: entry,
      fence,
      ttlMs,
      since: clock.monotonic(),
      grantedMs: undefined,
    });
    entry.holder = lease;
    return lease;
  }

  function handOver(key: string, entry: Entry): void {
    entry.holder = undefined;
    for (const waiter of entry.line ?? []) return waiter.serve(grant(key, entry, waiter.ttlMs));
    entries.delete(key);
  }

  function wait(
    key: string,
    entry: Entry,
    ttlMs: number,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        entry.line?.delete(waiter);
        cancel?.();
        signal?.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        ttlMs,
        serve(lease) {
          leave();
          resolve(lease);
        },
        refuse(error) {
          leave();
          reject(error);
        },
      };
      const abort = () => waiter.refuse(outcomes.aborted(key, signal!));
      const cancel =
        waitMs === Infinity ? undefined : clock.after(waitMs, () => waiter.refuse(outcomes.timeout(key, waitMs)));
      signal?.addEventListener("abort", abort);
      (entry.line ??= new Set()).add(waiter);
    });
  }

  return {
    async acquire(key, acquireOptions) {
      assertId(key, "lock key");
      const { ttlMs, waitMs, signal } = readAcquireOptions(acquireOptions, defaults);
      if (closed) throw outcomes.closed();
      if (signal?.aborted) throw outcomes.aborted(key, signal);
      const held = entries.get(key);
      if (held?.holder !== undefined && clock.monotonic() >= held.holder.expiresAt)
        held.holder.lose("it was not renewed in time");
      let entry = entries.get(key);
      if (entry === undefined) {
        entries.set(key, (entry = { holder: undefined, line: undefined }));
        return grant(key, entry, ttlMs);
      }
      if (waitMs === 0) throw outcomes.timeout(key, 0);
      return wait(key, entry, ttlMs, waitMs, signal);
    },
    async seed(key, lastFence) {
      assertId(key, "lock key");
      assertFence(lastFence);
      if (closed) throw outcomes.closed();
      fences.seed(key, lastFence, clock.now());
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const { line } of entries.values()) for (const waiter of line ?? []) waiter.refuse(outcomes.closed());
      for (const { holder } of entries.values()) holder?.lose("its manager was closed");
      backend.timers.clear();
    },
  };
}
