import type { Lease } from "@hebra/lock";

/** How often in a row a lease goes on inside a process before others who wait for it get their chance. */
const MOST_IN_A_ROW = 20;

/** Leases that are about to be released. */
export interface LeaseOffers {
  /** Keeps a lease for one turn of the event loop. @returns whether it was taken */
  offer(key: string, lease: Lease): Promise<boolean>;
  take(key: string): Lease | undefined;
}

/**
 * Who waited for a turn's result often sends the next message at once. Handing it the lease that the turn ran under
 * saves its release, its next acquisition, and the way through the queue in between.
 *
 * @param closed - aborts when leases are no longer to be kept
 */
export function createLeaseOffers(closed: AbortSignal): LeaseOffers {
  const open = new Map<string, Lease>();
  const timesTaken = new WeakMap<Lease, number>();
  return {
    async offer(key, lease) {
      if ((timesTaken.get(lease) ?? 0) >= MOST_IN_A_ROW || open.has(key)) return false;
      open.set(key, lease);
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (open.get(key) !== lease) return true;
      open.delete(key);
      return false;
    },
    take(key) {
      const lease = open.get(key);
      if (lease === undefined || lease.signal.aborted || closed.aborted) return undefined;
      open.delete(key);
      timesTaken.set(lease, (timesTaken.get(lease) ?? 0) + 1);
      return lease;
    },
  };
}
