import { errorCode } from "@hebra/core";
import { createLeader, type Leader, type LockManager } from "@hebra/lock";
import type { Clock } from "@hebra/core";

/**
 * What live processes hold, or wait for: names of leaderships that do nothing. Who obtains one knows that nobody of its
 * kind is left.
 */
export const presences = {
  /** Those who work. */
  workers: "workers",
  /** Those who take in. */
  intakes: "intakes",
  /** Those who send. */
  senders: "senders",
} as const;

/** Shows that this process is there, until it is closed or dies. */
export function showPresence(name: string, locks: LockManager, clock: Clock): Leader {
  return createLeader(name, {
    locks,
    clock,
    lead: ({ signal }) =>
      new Promise((resolve) =>
        signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true }),
      ),
  });
}

/** Whether some process is there. @throws HebraError `UNREACHABLE` when the locks cannot say */
export async function someoneLives(name: string, locks: LockManager): Promise<boolean> {
  return !(await everyoneLeaves(name, locks, 0));
}

/** Waits until nobody is there: those who came before are ahead in line. @returns whether that was so in time */
export async function everyoneLeaves(
  name: string,
  locks: LockManager,
  waitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const lease = await locks.acquire(`leader/${name}`, { waitMs, ...(signal === undefined ? {} : { signal }) });
    await lease.release();
    return true;
  } catch (error) {
    if (errorCode(error) === "LOCK_TIMEOUT") return false;
    throw error;
  }
}
