import { assertId, errorCode, parseOptions, sleep, type Clock } from "@hebra/core";
import * as z from "zod";
import type { LockManager } from "./lock.ts";
import { managerShape } from "./options.ts";

const isFunction = (value: unknown) => typeof value === "function";

const schema = z.strictObject({
  locks: z.custom<LockManager>(
    (value) => isFunction((value as LockManager | undefined)?.acquire),
    "must be a LockManager",
  ),
  lead: z.custom<LeaderOptions["lead"]>(isFunction, "must be a function"),
  ttlMs: managerShape.ttlMs.unwrap().default(30_000),
  pauseMs: z.number().min(0).optional(),
  onError: z.custom<NonNullable<LeaderOptions["onError"]>>(isFunction, "must be a function").default(() => () => {}),
  clock: managerShape.clock,
});

/** What the leader is given. */
export interface Leadership {
  /**
   * Which leadership this is: larger than every earlier one's of this name. Pass it to what the leader writes, as one
   * passes a fence.
   */
  readonly epoch: number;
  /** Aborts when the leadership is lost or given up. The leader must stop then. */
  readonly signal: AbortSignal;
}

/** How a leader is elected and what it does. */
export interface LeaderOptions {
  /** The locks that every candidate shares. */
  locks: LockManager;
  /**
   * The leader's work: it is called on election and should last until `signal` aborts. When it ends earlier, by
   * returning or
   * by throwing, the leadership passes on, and this candidate stands again after `pauseMs`.
   */
  lead: (leadership: Leadership) => Promise<void>;
  /** Milliseconds within which another takes over when the leader dies. @defaultValue 30 000 */
  ttlMs?: number;
  /** Milliseconds before standing again after a failure or an early end. @defaultValue a thirtieth of `ttlMs` */
  pauseMs?: number;
  /** Hears what `lead` threw, and why an election failed. @defaultValue nobody */
  onError?: (error: unknown) => void;
  /** Where time comes from. @defaultValue the system's */
  clock?: Clock;
}

/** A candidate, and from time to time the leader. */
export interface Leader {
  /** The epoch while this candidate leads, else `undefined`. */
  readonly epoch: number | undefined;
  /** Gives up the candidacy; resolves when `lead` has ended and the lock is free. Closing twice does nothing. */
  close(): Promise<void>;
}

/**
 * Stands for leadership: of all candidates of a name, one leads at a time. Candidates take turns in the order in which
 * they
 * came. A leader that dies is replaced within `ttlMs`; one that closes, at once.
 *
 * As with every lock, a leader that was paused may not know yet that it was replaced: what it writes must carry its
 * epoch.
 *
 * @param name - what is led; at most 500 characters.
 * @throws HebraError `INVALID_OPTIONS`, `INVALID_ID`
 *
 * @example
 * ```ts
 * import { createLeader, localLocks } from "@hebra/lock";
 *
 * const locks = localLocks();
 * const scheduler = createLeader("scheduler", {
 *   locks,
 *   lead: async ({ epoch, signal }) => {
 *     console.log(`leading in epoch ${epoch}`);
 *     await new Promise((resolve) => signal.addEventListener("abort", resolve));
 *   },
 * });
 * await scheduler.close();
 * await locks.close();
 * ```
 */
export function createLeader(name: string, options: LeaderOptions): Leader {
  const { locks, lead, ttlMs, onError, clock, pauseMs = ttlMs / 30 } = parseOptions("createLeader", schema, options);
  const key = `leader/${name}`;
  assertId(key, "leader's name");
  const closing = new AbortController();
  let epoch: number | undefined;

  function report(error: unknown): void {
    try {
      onError(error);
    } catch {
      // A listener's own failure must not end the candidacy.
    }
  }

  async function term(): Promise<void> {
    const lease = await locks.acquire(key, { ttlMs, waitMs: Infinity, signal: closing.signal });
    epoch = lease.fence;
    const lost = () => void (epoch = undefined);
    lease.signal.addEventListener("abort", lost);
    try {
      await lead({ epoch, signal: AbortSignal.any([lease.signal, closing.signal]) });
    } finally {
      epoch = undefined;
      lease.signal.removeEventListener("abort", lost);
      await lease.release();
    }
  }

  async function stand(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await term();
      } catch (error) {
        if (closing.signal.aborted) return;
        report(error);
        if (errorCode(error) === "CLOSED") return;
      }
      await sleep(clock, pauseMs, closing.signal).catch(() => {});
    }
  }

  const standing = stand();
  return {
    get epoch() {
      return epoch;
    },
    async close() {
      closing.abort();
      await standing;
    },
  };
}
