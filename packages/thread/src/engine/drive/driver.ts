import { anySignal, errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { earliestExpiry } from "../rows/record-end.ts";
import type { TurnEnd } from "../turn/running-turn.ts";
import type { DriverOptions, DriveTarget, StartedWork } from "./driver-options.ts";
import { nextWork } from "./next-turn.ts";
import { runOne, sumUp } from "./run-one.ts";

/** Runs what there is to run in a context, in order, under the thread's lease. */
export interface Driver {
  /** Whether this process drives the context or waits for its lease. */
  isDriving(target: DriveTarget): boolean;
  /** Takes over a lease and, when given, a turn that was begun under it. */
  drive(target: DriveTarget, lease: Lease, started?: StartedWork): void;
  /** Sees to it that what is queued, orphaned or decided will run: waits for the lease if need be. */
  kick(target: DriveTarget): void;
  /** As `kick`, by whoever is there to do the work: this process only where nobody else is. */
  wake(target: DriveTarget): void;
  /** Resolves when nothing is driven in this process. */
  idle(): Promise<void>;
}

export function createDriver(options: DriverOptions): Driver {
  const { locks, clock, logger, telemetry, closed } = options;
  const drives = new Map<string, { again: boolean; done: Promise<void> }>();
  const running = new Set<Promise<void>>();
  const idOf = ({ tenant, contextId }: DriveTarget) => `${tenant}/${contextId}`;

  function launch(target: DriveTarget, acquire: () => Promise<Lease>, started?: StartedWork): void {
    const id = idOf(target);
    const drive = { again: false, done: Promise.resolve() };
    drives.set(id, drive);
    drive.done = (async () => {
      let first = started;
      let told = false;
      try {
        do {
          drive.again = false;
          const lease = await acquire();
          try {
            await drain(target, lease, first);
            told = false;
          } catch (error) {
            // Once in a row: locks that do not heed it would be asked for ever.
            if (told || !(await seeded(target, lease, error))) throw error;
            telemetry.failed(error);
            told = drive.again = true;
          } finally {
            await lease
              .release()
              .catch((error: unknown) =>
                logger.warn("A lease could not be released; it will expire.", { error: errorMessage(error) }),
              );
          }
          first = undefined;
          acquire = () =>
            locks.acquire(target.lockKey, { ttlMs: options.leaseTtlMs, waitMs: Infinity, signal: closed });
        } while (drive.again && !closed.aborted);
      } catch (error) {
        telemetry.failed(error);
        if (!closed.aborted)
          logger.error("A thread could not be driven on; a sweep will find it.", {
            code: errorCode(error) ?? null,
            error: errorMessage(error),
            contextId: target.contextId,
          });
      } finally {
        // Synchronous with the decision to stop, so that a later kick starts anew. A lease that was passed in may have
        // begun a newer drive.
        if (drives.get(id) === drive) drives.delete(id);
      }
    })();
    running.add(drive.done);
    void drive.done.then(() => running.delete(drive.done));
  }

  /**
   * Whether the store knows a newer fence than a lease's: the locks have lost their count, or another holds it. They
   * are told, and asked again.
   */
  async function seeded({ lockKey }: DriveTarget, lease: Lease, error: unknown): Promise<boolean> {
    if (!HebraError.isInstance(error) || error.code !== "STALE_FENCE") return false;
    const fence = Number(error.details["fence"]);
    if (!(fence > lease.fence)) return false;
    await locks.seed(lockKey, fence);
    return true;
  }

  /** Runs turn after turn until none is left or one waits for people. */
  async function drain(target: DriveTarget, lease: Lease, started: StartedWork | undefined): Promise<void> {
    const signal = anySignal([lease.signal, closed]);
    try {
      let work: StartedWork | undefined = started ?? (await nextWork(options, target, lease));
      while (work !== undefined && !signal.aborted) {
        const end = await runOne(options, target, lease, { ...work, signal, fence: lease.fence });
        if (end.parked) return watchExpiry(target, end);
        await sumUp(options, target, lease, end, signal);
        work = await nextWork(options, target, lease);
      }
    } finally {
      signal.release();
    }
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
    drive: (target, lease, started) => launch(target, () => Promise.resolve(lease), started),
    kick(target) {
      if (closed.aborted) return;
      const drive = drives.get(idOf(target));
      if (drive !== undefined) drive.again = true;
      else
        launch(target, () =>
          locks.acquire(target.lockKey, { ttlMs: options.leaseTtlMs, waitMs: Infinity, signal: closed }),
        );
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
