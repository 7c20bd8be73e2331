/** How one lock is taken. */
export interface AcquireOptions {
  /**
   * Milliseconds that the lock outlives a holder that stopped renewing it. While the holder lives, the lock is renewed
   * every third of this, so a piece of work may take much longer. At least 100.
   *
   * @defaultValue the manager's, which is 120 000 unless it was given another
   */
  ttlMs?: number;
  /**
   * Milliseconds to wait while another holds the lock. 0 tries once; `Infinity` waits until the signal aborts.
   *
   * @defaultValue the manager's, which is 30 000 unless it was given another
   */
  waitMs?: number;
  /** Gives up waiting when it aborts. It has no effect on a lock once held. */
  signal?: AbortSignal;
}

/**
 * A lock that is held. It renews itself until it is released or lost. Its methods need their object: do not take them
 * out.
 */
export interface Lease {
  /** What is locked. */
  readonly key: string;
  /**
   * The fencing token: larger than that of every earlier lease of this key. Pass it to whatever the lock protects, and
   * let that refuse a smaller one than the last it accepted: a holder that was paused for longer than its ttl does not
   * know yet that it has been replaced.
   *
   * A safe integer; microseconds since the Unix epoch unless more were issued than microseconds passed.
   */
  readonly fence: number;
  /**
   * Aborts when the lease is lost: the server says that another holds it, the renewal did not succeed within the ttl,
   * or
   * the manager was closed. The reason is a HebraError `LOCK_LOST`. A release does not abort it.
   */
  readonly signal: AbortSignal;
  /**
   * Renews the lease now, and so asks whether it is still held.
   *
   * @param ttlMs - the ttl from now on. @defaultValue the present one
   * @throws HebraError `LOCK_LOST` when the lease was lost or released, `UNREACHABLE` when the server gives no answer:
   * the lease may then still be held, until `signal` aborts.
   */
  extend(ttlMs?: number): Promise<void>;
  /**
   * Gives the lock to the next in line. Releasing twice, or after the lease was lost, does nothing.
   *
   * @throws HebraError `UNREACHABLE` when the server gives no answer: the lock then ends with its ttl at the latest, as
   * it
   * is renewed no more.
   */
  release(): Promise<void>;
}

/**
 * One holder per key, across every process that shares the backend.
 *
 * A lock saves work; it cannot by itself protect data, because a paused holder cannot be stopped from writing. The
 * fence
 * does: see {@link Lease.fence}.
 */
export interface LockManager {
  /**
   * Takes the lock of a key, waiting in line where it is held. Those who wait are served in the order in which they
   * came.
   * A lock is not re-entrant: its holder waits for itself.
   *
   * @param key - at most 512 characters. {@link lockKey} makes one of a tenant and a session.
   * @throws HebraError `LOCK_TIMEOUT` after `waitMs` (retryable), `ABORTED` by the signal, `UNREACHABLE` when the
   * server
   * gives no answer, `CLOSED` after `close`, `INVALID_ID` and `INVALID_OPTIONS` for what cannot be a key or an option.
   */
  acquire(key: string, options?: AcquireOptions): Promise<Lease>;
  /**
   * Tells the manager the last fence that a store accepted for a key, so that the next one is larger. For the case that
   * the backend lost its own count while the clock that backs it up was behind.
   *
   * @throws HebraError `UNREACHABLE`, `CLOSED`, `INVALID_ID`, and `INVALID_OPTIONS` for what cannot be a fence.
   */
  seed(key: string, lastFence: number): Promise<void>;
  /**
   * Ends the manager: who waits gets `CLOSED`, the signals of leases still held abort with `LOCK_LOST`, and their locks
   * are released. Closing twice does nothing.
   */
  close(): Promise<void>;
}

/**
 * The key of a tenant's session. Two different pairs never give the same key.
 *
 * @example
 * ```ts
 * import { lockKey } from "@hebra/lock";
 *
 * console.log(lockKey("acme", "telegram:42")); // acme/telegram:42
 * ```
 */
export function lockKey(tenant: string, session: string): string {
  return [tenant, session].map((part) => part.replaceAll("%", "%25").replaceAll("/", "%2F")).join("/");
}
