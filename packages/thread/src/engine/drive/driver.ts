import { errorCode, errorMessage } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { earliestExpiry } from "../rows/record-end.ts";
import type { TurnEnd } from "../turn/running-turn.ts";
import { runDrive, type Drive, type DriveStart } from "./drive-loop.ts";
import { createLeaseOffers } from "./lease-offers.ts";
import type { DriveTarget } from "./drive-target.ts";
import type { DriverOptions, StartedWork } from "./driver-options.ts";

/** Runs what there is to run in a context, in order, under the thread's lease. */
export interface Driver {
  /** Whether this process drives the context or waits for its lease. */
  isDriving(target: DriveTarget): boolean;
  /** How many contexts this process drives or waits for. */
  size(): number;
  /**
   * Takes over a lease and, when given, a turn that was begun under it.
   *
   * @param options - `given`: the lease is the caller's, who is told of failures; `betweenTurns`: called between two
   * turns
   */
  drive(
    target: DriveTarget,
    lease: Lease,
    options?: { started?: StartedWork; given?: boolean; betweenTurns?: (() => Promise<void>) | undefined },
  ): void;
  /** The lease of a thread whose turn has ended a moment ago in this process, instead of its release. */
  takeOffered(lockKey: string): Lease | undefined;
  /** Resumes queued, orphaned or newly decided turns: waits for the lease if need be. */
  kick(target: DriveTarget): void;
  /** As `kick`, by whichever process does the work: this one only where there is no other. */
  wake(target: DriveTarget): void;
  /** Resolves when nothing is driven in this process. */
  idle(): Promise<void>;
}

export function createDriver(options: DriverOptions): Driver {
  const { clock, logger, closed, stuck } = options;
  const drives = new Map<string, Drive>();
  const running = new Set<Promise<void>>();
  const offers = createLeaseOffers(closed);
  const idOf = ({ tenant, contextId }: DriveTarget) => `${tenant}/${contextId}`;

  function launch(target: DriveTarget, start: DriveStart): void {
    const id = idOf(target);
    const drive: Drive = { again: false };
    drives.set(id, drive);
    stuck.remove(target);
    const done = runDrive(options, drive, target, start, {
      parked: (end) => watchExpiry(target, end),
      offer: (lease) => offers.offer(target.lockKey, lease),
      // A lease that was passed in may have begun a newer drive.
      ended: () => void (drives.get(id) === drive && drives.delete(id)),
    })
      .catch((error: unknown) => {
        if (closed.aborted) return;
        logger.error("A conversation could not go on.", {
          code: errorCode(error) ?? null,
          error: errorMessage(error),
          contextId: target.contextId,
        });
      })
      .finally(() => {
        running.delete(done);
      });
    running.add(done);
  }

  /** An approval that nobody answers must end the wait by itself. */
  function watchExpiry(target: DriveTarget, end: TurnEnd): void {
    const expiry = earliestExpiry(end.rows.approvals);
    if (expiry === null) return;
    const cancel = clock.after(Math.max(0, expiry - clock.now()), () => {
      closed.removeEventListener("abort", cancel);
      driver.wake(target);
    });
    closed.addEventListener("abort", cancel, { once: true });
  }

  const driver: Driver = {
    isDriving: (target) => drives.has(idOf(target)),
    size: () => drives.size,
    drive: (target, lease, { started, given, betweenTurns } = {}) =>
      launch(target, { lease, work: started, given, betweenTurns }),
    takeOffered: (lockKey) => offers.take(lockKey),
    kick(target) {
      if (closed.aborted) return;
      const drive = drives.get(idOf(target));
      if (drive !== undefined) drive.again = true;
      else launch(target, {});
    },
    wake(target) {
      if (closed.aborted) return;
      if (options.wake === undefined) driver.kick(target);
      else options.wake(target);
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
  return driver;
}
