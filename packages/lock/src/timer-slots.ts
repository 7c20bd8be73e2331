import type { Clock } from "@hebra/core";

/** Milliseconds that share one timer. */
const SLOT_MS = 50;

/** Timers for things that nearly always end before they are due. */
export interface TimerSlots {
  /** Calls back after `ms` milliseconds, or up to 50 ms earlier, never more than a tenth of `ms` earlier. @returns cancels it */
  after(ms: number, callback: () => void): () => void;
  /** Cancels everything. */
  clear(): void;
}

/**
 * Timers that share one timer of the clock when they are due at nearly the same time: setting and cancelling one is an
 * insertion in a set and its removal. A lock that is taken and given back thousands of times a second sets a renewal each
 * time.
 */
export function createTimerSlots(clock: Clock): TimerSlots {
  const slots = new Map<number, { callbacks: Set<() => void>; cancel: () => void }>();
  const singles = new Set<() => void>();

  function single(ms: number, callback: () => void): () => void {
    const cancel = clock.after(ms, () => {
      singles.delete(cancel);
      callback();
    });
    singles.add(cancel);
    return () => {
      singles.delete(cancel);
      cancel();
    };
  }

  return {
    after(ms, callback) {
      if (ms < 10 * SLOT_MS) return single(ms, callback);
      const now = clock.monotonic();
      const due = Math.floor((now + ms) / SLOT_MS);
      let slot = slots.get(due);
      if (slot === undefined) {
        const callbacks = new Set<() => void>();
        const cancel = clock.after(due * SLOT_MS - now, () => {
          slots.delete(due);
          for (const each of callbacks) each();
        });
        slots.set(due, (slot = { callbacks, cancel }));
      }
      const { callbacks } = slot;
      // A callback of its own for each call, so that one function may be set twice.
      const entry = () => callback();
      callbacks.add(entry);
      return () => void callbacks.delete(entry);
    },
    clear() {
      for (const { cancel } of slots.values()) cancel();
      for (const cancel of singles) cancel();
      slots.clear();
      singles.clear();
    },
  };
}
