import { errorCode } from "@hebra/core";
import type { LockManager } from "@hebra/lock";

/** What a live worker holds, or waits for: the name of a leadership that does nothing. */
export const workersLock = "workers";

/** Whether some process has a live worker. @throws HebraError `UNREACHABLE` when the locks cannot say */
export async function someWorkerLives(locks: LockManager): Promise<boolean> {
  try {
    const lease = await locks.acquire(`leader/${workersLock}`, { waitMs: 0 });
    await lease.release();
    return false;
  } catch (error) {
    if (errorCode(error) === "LOCK_TIMEOUT") return true;
    throw error;
  }
}
