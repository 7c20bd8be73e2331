import type { AcquireOptions, Lease, LockManager } from "./lock.ts";

/**
 * Runs work under a lock and gives the lock back, whatever comes of it. The work should stop when `lease.signal`
 * aborts,
 * and pass `lease.fence` to what it writes.
 *
 * A lock that cannot be given back because the server is gone ends with its ttl; the work's own result stands.
 *
 * @throws what `acquire` throws, and what the work throws.
 *
 * @example
 * ```ts
 * import { localLocks, withLock } from "@hebra/lock";
 *
 * const locks = localLocks();
 * const total = await withLock(locks, "report", async ({ signal }) => (signal.aborted ? 0 : 3), { waitMs: 5_000 });
 * console.log(total); // 3
 * await locks.close();
 * ```
 */
export async function withLock<T>(
  locks: LockManager,
  key: string,
  work: (lease: Lease) => Promise<T> | T,
  options: AcquireOptions = {},
): Promise<T> {
  const lease = await locks.acquire(key, options);
  try {
    return await work(lease);
  } finally {
    await lease.release().catch(() => {});
  }
}
