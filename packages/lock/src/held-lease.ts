import { errorMessage, HebraError, type Clock } from "@hebra/core";
import type { Lease } from "./lock.ts";
import { assertTtl } from "./options.ts";
import type { TimerSlots } from "./timer-slots.ts";

/** What a lease needs of its backend. */
export interface LeaseBackend {
  /** Renews; `false` when another holds the lock or nobody does. */
  renew(ttlMs: number): boolean | Promise<boolean>;
  /** Gives the lock back. */
  release(): void | Promise<void>;
  /** The lease has ended: it was released, or it was lost. */
  ended(how: "released" | "lost"): void;
}

/** How a lease begins. */
export interface LeaseStart {
  key: string;
  fence: number;
  ttlMs: number;
  /** The monotonic time before the request that took it. */
  since: number;
  /** For how long after `since` the backend has granted it. @defaultValue `ttlMs` */
  grantedMs?: number;
  clock: Clock;
  timers: TimerSlots;
}

/** A lease with the manager's own way to end it. */
export interface HeldLease extends Lease {
  /** Ends it as lost. Does nothing when it has ended. */
  lose(why: string): void;
  /** The monotonic time at which the backend may give it to another. */
  readonly expiresAt: number;
}

/** A hundredth for clocks that do not run at the same speed, and 2 ms for the precision of timers and of the server's expiry. */
const margin = (ttlMs: number) => ttlMs / 100 + 2;

/**
 * The life of a lease, the same for every backend. All its times are monotonic and counted from before the request that
 * renewed it, so that the holder never believes in a lease for longer than the server does.
 */
export function createHeldLease(start: LeaseStart, backend: LeaseBackend): HeldLease {
  const { key, fence, clock, timers } = start;
  let state: "held" | "released" | "lost" = "held";
  let ttlMs = start.ttlMs;
  let expiresAt = start.since + (start.grantedMs ?? ttlMs);
  let deadline = expiresAt - margin(start.grantedMs ?? ttlMs);
  let reason: HebraError | undefined;
  let lastFailure: unknown;
  let controller: AbortController | undefined;
  let newest = 0;
  let cancelRenewal: (() => void) | undefined;
  let cancelDeadline: (() => void) | undefined;

  function stopTimers(): void {
    cancelRenewal?.();
    cancelDeadline?.();
    cancelRenewal = cancelDeadline = undefined;
  }

  function lose(why: string): void {
    if (state !== "held") return;
    state = "lost";
    stopTimers();
    const cause = lastFailure === undefined ? {} : { cause: lastFailure };
    reason = new HebraError("LOCK_LOST", `The lock ${key} is held no longer: ${why}.`, { ...cause, details: { key, fence } });
    backend.ended("lost");
    controller?.abort(reason);
  }

  function loseIfLate(): boolean {
    if (state === "held" && clock.monotonic() >= deadline) {
      const because = lastFailure === undefined ? "" : ` (${errorMessage(lastFailure)})`;
      lose(`it was not renewed in time${because}`);
    }
    return state !== "held";
  }

  /** Loses the lease at its deadline unless a renewal comes first. Timers may be early, those of Node by a fraction too. */
  function watchDeadline(): void {
    if (loseIfLate()) return;
    const left = deadline - clock.monotonic();
    cancelDeadline = left < 100 ? clock.after(Math.ceil(left), watchDeadline) : timers.after(left, watchDeadline);
  }

  /** One request. Throws what the backend throws; the state tells the rest. */
  async function renew(wanted: number): Promise<void> {
    const request = ++newest;
    const sent = clock.monotonic();
    if (cancelDeadline === undefined) watchDeadline();
    let held: boolean;
    try {
      held = await backend.renew(wanted);
    } catch (error) {
      lastFailure = error;
      if (state === "held" && cancelRenewal === undefined) renewAt(clock.monotonic() + Math.min(1000, ttlMs / 12));
      throw error;
    }
    if (state !== "held") return;
    if (!held) return lose("the server says that it ended");
    // An answer to an older request says less than the one under way.
    if (request !== newest) return;
    lastFailure = undefined;
    ttlMs = wanted;
    expiresAt = sent + ttlMs;
    deadline = expiresAt - margin(ttlMs);
    stopTimers();
    renewAt(sent + ttlMs / 3);
  }

  function renewAt(time: number): void {
    cancelRenewal?.();
    cancelRenewal = timers.after(Math.max(0, time - clock.monotonic()), renewInBackground);
  }

  function renewInBackground(): void {
    cancelRenewal = undefined;
    if (loseIfLate()) return;
    // A failure has set the next attempt; the deadline ends them.
    renew(ttlMs).catch(() => {});
  }

  if (start.grantedMs === undefined) renewAt(start.since + ttlMs / 3);
  else queueMicrotask(renewInBackground);

  return {
    key,
    fence,
    lose,
    get expiresAt() {
      return expiresAt;
    },
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (reason !== undefined) controller.abort(reason);
      }
      return controller.signal;
    },
    async extend(newTtlMs) {
      const wanted = newTtlMs === undefined ? ttlMs : assertTtl(newTtlMs);
      if (!loseIfLate()) await renew(wanted);
      if (reason !== undefined) throw reason;
      if (state === "released") throw new HebraError("LOCK_LOST", `The lock ${key} was released.`, { details: { key, fence } });
    },
    async release() {
      if (state !== "held") return;
      state = "released";
      stopTimers();
      backend.ended("released");
      await backend.release();
    },
  };
}
