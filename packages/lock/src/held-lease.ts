import { errorMessage, HebraError, type Clock } from "@hebra/core";
import type { Lease } from "./lock.ts";
import { assertTtl } from "./options.ts";
import type { Timed, TimerSlots } from "./timer-slots.ts";

/**
 * What the leases of one manager share: time, and the calls to its backend. `Handle` is how the backend knows a lease.
 */
export interface LeaseBackend<Handle> {
  readonly clock: Clock;
  readonly timers: TimerSlots;
  /** Renews; `false` when another holds the lock or nobody does. */
  renew(lease: HeldLease<Handle>, ttlMs: number): boolean | Promise<boolean>;
  /** Gives the lock back. Called after `ended`. */
  release(lease: HeldLease<Handle>): void | Promise<void>;
  /** The lease has ended. */
  ended(lease: HeldLease<Handle>, how: "released" | "lost"): void;
}

/** How a lease begins. */
export interface LeaseStart<Handle> {
  readonly key: string;
  readonly handle: Handle;
  readonly fence: number;
  readonly ttlMs: number;
  /** The monotonic time before the request that took it. */
  readonly since: number;
  /** For how long after `since` the backend has granted it, where that is not the ttl: it is then renewed at once. */
  readonly grantedMs: number | undefined;
}

/**
 * A hundredth for clocks that do not run at the same speed, and 2 ms for the precision of timers and of the server's
 * expiry.
 */
const margin = (ttlMs: number) => ttlMs / 100 + 2;

/**
 * The life of a lease, the same for every backend. All its times are monotonic and counted from before the request that
 * renewed it, so that the holder never believes in a lease for longer than the server does.
 *
 * A class, as thousands are made a second: its methods are made once.
 */
export class HeldLease<Handle> implements Lease, Timed {
  readonly key: string;
  readonly fence: number;
  readonly handle: Handle;
  /** The monotonic time at which the backend may give it to another. */
  expiresAt: number;
  slot: Set<Timed> | undefined = undefined;
  private readonly backend: LeaseBackend<Handle>;
  private state: "held" | "released" | "lost" = "held";
  private ttlMs: number;
  private deadline: number;
  private newestRequest = 0;
  private reason: HebraError | undefined = undefined;
  private lastFailure: unknown = undefined;
  private controller: AbortController | undefined = undefined;
  private cancelDeadline: (() => void) | undefined = undefined;

  constructor(backend: LeaseBackend<Handle>, start: LeaseStart<Handle>) {
    const granted = start.grantedMs ?? start.ttlMs;
    this.backend = backend;
    this.key = start.key;
    this.handle = start.handle;
    this.fence = start.fence;
    this.ttlMs = start.ttlMs;
    this.expiresAt = start.since + granted;
    this.deadline = this.expiresAt - margin(granted);
    if (start.grantedMs === undefined) this.renewAt(start.since + start.ttlMs / 3);
    else queueMicrotask(() => this.onTime());
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  async extend(newTtlMs?: number): Promise<void> {
    const wanted = newTtlMs === undefined ? this.ttlMs : assertTtl(newTtlMs);
    if (!this.loseIfLate()) await this.renew(wanted);
    if (this.reason !== undefined) throw this.reason;
    if (this.state === "released") {
      throw new HebraError("LOCK_LOST", `The lock ${this.key} was released.`, {
        details: { key: this.key, fence: this.fence },
      });
    }
  }

  async release(): Promise<void> {
    if (this.state !== "held") return;
    this.state = "released";
    this.stopTimers();
    this.backend.ended(this, "released");
    await this.backend.release(this);
  }

  /** Ends it as lost. Does nothing when it has ended. */
  lose(why: string): void {
    if (this.state !== "held") return;
    this.state = "lost";
    this.stopTimers();
    const { key, fence, lastFailure } = this;
    const cause = lastFailure === undefined ? {} : { cause: lastFailure };
    this.reason = new HebraError("LOCK_LOST", `The lock ${key} is held no longer: ${why}.`, {
      ...cause,
      details: { key, fence },
    });
    this.backend.ended(this, "lost");
    this.controller?.abort(this.reason);
  }

  /** It is time to renew. */
  onTime(): void {
    if (this.loseIfLate()) return;
    // A failure has set the next attempt; the deadline ends them.
    this.renew(this.ttlMs).catch(() => {});
  }

  /** One request. Throws what the backend throws; the state tells the rest. */
  private async renew(wanted: number): Promise<void> {
    const { clock } = this.backend;
    const request = ++this.newestRequest;
    const sent = clock.monotonic();
    if (this.cancelDeadline === undefined) this.watchDeadline();
    let held: boolean;
    try {
      held = await this.backend.renew(this, wanted);
    } catch (error) {
      this.lastFailure = error;
      if (this.state === "held" && this.slot === undefined)
        this.renewAt(clock.monotonic() + Math.min(1000, this.ttlMs / 12));
      throw error;
    }
    if (this.state !== "held") return;
    if (!held) return this.lose("the server says that it ended");
    // An answer to an older request says less than the one under way.
    if (request !== this.newestRequest) return;
    this.lastFailure = undefined;
    this.ttlMs = wanted;
    this.expiresAt = sent + wanted;
    this.deadline = this.expiresAt - margin(wanted);
    this.stopTimers();
    this.renewAt(sent + wanted / 3);
  }

  private renewAt(time: number): void {
    const { clock, timers } = this.backend;
    timers.set(Math.max(0, time - clock.monotonic()), this);
  }

  /** Loses the lease at its deadline unless a renewal comes first. Timers may be early, those of Node by a fraction. */
  private watchDeadline(): void {
    if (this.loseIfLate()) return;
    const { clock } = this.backend;
    this.cancelDeadline = clock.after(Math.ceil(this.deadline - clock.monotonic()), () => this.watchDeadline());
  }

  private loseIfLate(): boolean {
    if (this.state === "held" && this.backend.clock.monotonic() >= this.deadline) {
      const because = this.lastFailure === undefined ? "" : ` (${errorMessage(this.lastFailure)})`;
      this.lose(`it was not renewed in time${because}`);
    }
    return this.state !== "held";
  }

  private stopTimers(): void {
    this.backend.timers.cancel(this);
    this.cancelDeadline?.();
    this.cancelDeadline = undefined;
  }
}
