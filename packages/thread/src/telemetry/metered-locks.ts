import { errorCode, hebraAttributes, type Clock } from "@hebra/core";
import type { LockManager } from "@hebra/lock";
import type { EngineMeter } from "./engine-meter.ts";

/** Locks that say how long they were waited for, and which of them were lost. */
export function meteredLocks(locks: LockManager, { lockWait, leaseLost }: EngineMeter, clock: Clock): LockManager {
  return {
    async acquire(key, options) {
      const startedAt = clock.monotonic();
      const waited = (outcome: string) =>
        lockWait.record((clock.monotonic() - startedAt) / 1000, { [hebraAttributes.outcome]: outcome });
      try {
        const lease = await locks.acquire(key, options);
        waited("acquired");
        lease.signal.addEventListener("abort", () => leaseLost.add(1, { holder: "call" }), { once: true });
        return lease;
      } catch (error) {
        waited(errorCode(error) === "LOCK_TIMEOUT" ? "busy" : "failed");
        throw error;
      }
    },
    seed: (key, lastFence) => locks.seed(key, lastFence),
    close: () => locks.close(),
  };
}
