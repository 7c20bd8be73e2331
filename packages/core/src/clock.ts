import { HebraError } from "./errors.ts";

/** Where time comes from. Every factory takes one, so that tests need no sleeps. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary origin. Never goes back. */
  monotonic(): number;
  /**
   * Calls back once after `ms` milliseconds, however many.
   *
   * @param options - `keepAlive`: whether the timer keeps the process alive: true when somebody awaits it, false for
   * housekeeping. @defaultValue false
   * @returns cancels the timer
   */
  after(ms: number, callback: () => void, options?: { keepAlive?: boolean }): () => void;
}

/** The longest wait that `setTimeout` takes, in milliseconds: about 25 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, { keepAlive = false } = {}) {
    // Node fires at once what it cannot count: longer waits are made of several.
    let left = Math.max(0, ms);
    let timer: NodeJS.Timeout;
    const arm = () => {
      const part = Math.min(left, LONGEST_TIMER);
      left -= part;
      timer = setTimeout(() => (left > 0 ? arm() : callback()), part);
      if (!keepAlive) timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/** A clock that moves only when told to. */
export interface ManualClock extends Clock {
  /** Moves time on, firing due timers in order; awaits microtasks and one macrotask between them. */
  advance(ms: number): Promise<void>;
  /** How many timers wait. Zero after everything was closed. */
  pending(): number;
}

/**
 * A clock for tests: time stands still until `advance` is called.
 *
 * @param start - milliseconds since the epoch. @defaultValue 2026-01-01T00:00:00Z
 */
export function createManualClock(start = 1_767_225_600_000): ManualClock {
  let time = 0;
  let order = 0;
  const timers = new Map<number, { due: number; callback: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const nextDue = (limit: number) => {
    let found: number | undefined;
    for (const [id, timer] of timers) {
      if (timer.due > limit) continue;
      if (found === undefined || timer.due < timers.get(found)!.due) found = id;
    }
    return found;
  };
  return {
    now: () => start + time,
    monotonic: () => time,
    after(ms, callback) {
      const id = ++order;
      timers.set(id, { due: time + Math.max(0, ms), callback });
      return () => void timers.delete(id);
    },
    async advance(ms) {
      const target = time + ms;
      await settle();
      for (let id = nextDue(target); id !== undefined; id = nextDue(target)) {
        const timer = timers.get(id)!;
        timers.delete(id);
        time = Math.max(time, timer.due);
        timer.callback();
        await settle();
      }
      time = Math.max(time, target);
      await settle();
    },
    pending: () => timers.size,
  };
}

/**
 * Waits on a clock. The process stays alive for it.
 *
 * @throws HebraError `ABORTED` when the signal aborts first.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel();
      reject(new HebraError("ABORTED", "The wait was aborted.", { cause: signal?.reason }));
    };
    const cancel = clock.after(
      ms,
      () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      },
      { keepAlive: true },
    );
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
