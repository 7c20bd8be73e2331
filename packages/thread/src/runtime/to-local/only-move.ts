import { errorCode, HebraError } from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";

const TTL_MS = 5_000;

/** Two moves at once would not know of each other. @throws HebraError `LOCK_TIMEOUT` */
export async function onlyMove(locks: LockManager, name: "to-local" | "to-shared"): Promise<Lease> {
  try {
    return await locks.acquire(`leader/${name}`, { ttlMs: TTL_MS, waitMs: 2 * TTL_MS });
  } catch (error) {
    if (errorCode(error) !== "LOCK_TIMEOUT") throw error;
    throw new HebraError("LOCK_TIMEOUT", "Another move of this deployment is under way.", { cause: error });
  }
}
