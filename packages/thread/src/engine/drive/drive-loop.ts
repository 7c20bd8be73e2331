import { anySignal, errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { pause } from "../steady-store.ts";
import type { TurnEnd } from "../turn/running-turn.ts";
import type { DriveTarget } from "./drive-target.ts";
import type { DriverOptions, StartedWork } from "./driver-options.ts";
import { nextWork } from "./next-turn.ts";
import { giveUpWork, runOne, sumUp } from "./run-one.ts";
import { isDeleted, isPassing, markStoreError } from "../turn/turn-errors.ts";

/** What a drive begins with. */
export interface DriveStart {
  /** Without one, the thread's lease is waited for. */
  lease?: Lease | undefined;
  /** A turn that was begun under the lease. */
  work?: StartedWork | undefined;
  /** The lease is the caller's, who is told of failures instead of this process going on by itself. */
  given?: boolean | undefined;
  /** Called between two turns. */
  betweenTurns?: (() => Promise<void>) | undefined;
}

/** A context that this process works on. */
export interface Drive {
  /** Something came in: look once more before it ends. */
  again: boolean;
}

/** What a drive tells its driver. */
export interface DriveHooks {
  /** A turn waits for people. */
  parked(end: TurnEnd): void;
  /**
   * Offers a lease that is about to be released to whoever goes on in this process at once.
   *
   * @returns whether it was taken
   */
  offer(lease: Lease): Promise<boolean>;
  /** The drive has ended. Called in the same tick as the decision to end, so that a later kick starts anew. */
  ended(): void;
}

/** Runs what there is to run in a context until nothing is left, and goes on after failures that pass. */
export async function runDrive(
  options: DriverOptions,
  drive: Drive,
  target: DriveTarget,
  start: DriveStart,
  hooks: DriveHooks,
): Promise<void> {
  const goesOn = options.patient && start.given !== true;
  let { lease, work } = start;
  let failures = 0;
  let wasSeeded = false;
  try {
    do {
      drive.again = false;
      try {
        const held: Lease = lease ?? (await acquire(options, target));
        lease = undefined;
        const begun = work;
        work = undefined;
        // Where something is left that this process cannot run, the next look is not put off.
        const mayOffer = () => start.given !== true && !drive.again && options.stuck.get(target) === undefined;
        const offer = async () => mayOffer() && (await hooks.offer(held));
        await underLease(
          options,
          held,
          () => drain(options, target, held, { started: begun, between: start.betweenTurns }, goesOn, hooks),
          offer,
        );
        [failures, wasSeeded] = [0, false];
      } catch (error) {
        if (options.closed.aborted) throw error;
        options.telemetry.failed(error);
        // Looked at once more: somebody may have written to the same address since.
        if (isDeleted(error)) {
          drive.again = true;
          continue;
        }
        // Once in a row: locks that do not heed it would be asked for ever.
        wasSeeded = !wasSeeded && (await seeded(options, target, error));
        if (!wasSeeded) await comeBack(options, target, { error, goesOn, failures: ++failures });
        drive.again = true;
      }
    } while (drive.again && !options.closed.aborted);
  } finally {
    hooks.ended();
  }
}

async function acquire({ locks, leaseTtlMs, closed }: DriverOptions, { lockKey }: DriveTarget): Promise<Lease> {
  try {
    return await locks.acquire(lockKey, { ttlMs: leaseTtlMs, waitMs: Infinity, signal: closed });
  } catch (error) {
    // Locks may be kept in a store, and are then busy or away as it is.
    if (HebraError.isInstance(error) && error.retryable) markStoreError(error);
    throw error;
  }
}

async function underLease(
  options: DriverOptions,
  lease: Lease,
  work: () => Promise<void>,
  offer: () => Promise<boolean>,
): Promise<void> {
  let isTaken = false;
  try {
    await work();
    isTaken = await offer();
  } catch (error) {
    if (HebraError.isInstance(error)) fences.set(error, lease.fence);
    throw error;
  } finally {
    if (!isTaken)
      await lease
        .release()
        .catch((error: unknown) =>
          options.logger.warn("A lease could not be released; it will expire.", { error: errorMessage(error) }),
        );
  }
}

/** Under which fence an error was thrown. */
const fences = new WeakMap<object, number>();

/** Waits until a context can be looked at again. @throws the error, when that is somebody else's to do */
async function comeBack(
  options: DriverOptions,
  target: DriveTarget,
  failed: { error: unknown; goesOn: boolean; failures: number },
): Promise<void> {
  const { clock, random, logger, closed, stuck } = options;
  const { error, goesOn, failures } = failed;
  const retries = goesOn && isPassing(error);
  stuck.add(target, error, { at: clock.now(), retries });
  if (!retries) throw error;
  logger.warn("A conversation could not go on and is tried again.", {
    code: errorCode(error) ?? null,
    error: errorMessage(error),
    contextId: target.contextId,
    failures,
  });
  // The lease is waited for in any case.
  if (failures === 1 && errorCode(error) === "LOCK_LOST") return;
  await pause(failures, { clock, random, logger, signal: closed, patient: true });
}

/**
 * Whether the store knows a newer fence than a lease's: the locks have lost their count, or another holds it. They are
 * given the store's, and asked again.
 */
async function seeded({ locks }: DriverOptions, { lockKey }: DriveTarget, error: unknown): Promise<boolean> {
  if (!HebraError.isInstance(error) || error.code !== "STALE_FENCE") return false;
  const fence = Number(error.details["fence"]);
  if (!(fence > (fences.get(error) ?? Infinity))) return false;
  await locks.seed(lockKey, fence);
  return true;
}

/** Runs turn after turn until none is left or one waits for people. */
async function drain(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
  { started, between }: { started: StartedWork | undefined; between: (() => Promise<void>) | undefined },
  goesOn: boolean,
  hooks: DriveHooks,
): Promise<void> {
  const signal = anySignal([lease.signal, options.closed]);
  try {
    let work: StartedWork | undefined = started ?? (await nextWork(options, target, lease));
    while (work !== undefined) {
      if (signal.aborted) return giveUpWork(options, work, lostLease(lease), goesOn);
      const end = await runOne(options, target, lease, { ...work, signal, fence: lease.fence }, goesOn);
      options.stuck.remove(target);
      if (end.parked) return hooks.parked(end);
      await sumUp(options, target, lease, end, signal);
      // The write that ended the turn has checked that the inbox had not moved.
      if (work.nothingQueuedAt === end.inboxSeq) return;
      work = await nextWork(options, target, lease);
      if (work !== undefined) await between?.();
    }
  } finally {
    signal.release();
  }
}

function lostLease({ signal, key }: Lease): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new HebraError("LOCK_LOST", `The lease of ${key} was lost before its turn began.`);
}
