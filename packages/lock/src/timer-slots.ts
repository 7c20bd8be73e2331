import type { Clock } from "@hebra/core";

/** Milliseconds that share one timer. */
const SLOT_MS = 50;

/** Something to be called later. It can wait for one time only. */
export interface Timed {
  /** Called when its time has come. */
  onTime(): void;
  /** Where it waits; kept by {@link TimerSlots}. */
  slot: Set<Timed> | undefined;
}

/** Timers for things that nearly always end before they are due. */
export interface TimerSlots {
  /**
   * Calls `onTime` after `ms` milliseconds, or up to 50 ms earlier, never more than a tenth of `ms` earlier. Replaces
   * an earlier time.
   */
  set(ms: number, timed: Timed): void;
  /** It is not called any more. */
  cancel(timed: Timed): void;
  /** Cancels everything. */
  clear(): void;
}

/**
 * Timers that share one timer of the clock when they are due at nearly the same time: setting and cancelling one is an
 * insertion in a set and its removal. A lock that is taken and given back thousands of times a second sets a renewal
 * each
 * time.
 */
export function createTimerSlots(clock: Clock): TimerSlots {
  const cancels = new Map<Set<Timed>, () => void>();
  const slots = new Map<number, Set<Timed>>();
  /** Those of one thing, which nothing will join. */
  const singles = new Set<Set<Timed>>();

  function open(ms: number, ended: () => void): Set<Timed> {
    const slot = new Set<Timed>();
    const cancel = clock.after(ms, () => {
      cancels.delete(slot);
      ended();
      for (const timed of slot) {
        timed.slot = undefined;
        slot.delete(timed);
        timed.onTime();
      }
    });
    cancels.set(slot, cancel);
    return slot;
  }

  function slotFor(ms: number): Set<Timed> {
    if (ms < 10 * SLOT_MS) {
      const single = open(ms, () => void singles.delete(single));
      singles.add(single);
      return single;
    }
    const now = clock.monotonic();
    const due = Math.floor((now + ms) / SLOT_MS);
    let slot = slots.get(due);
    if (slot === undefined) slots.set(due, (slot = open(due * SLOT_MS - now, () => void slots.delete(due))));
    return slot;
  }

  function cancel(timed: Timed): void {
    const { slot } = timed;
    if (slot === undefined) return;
    timed.slot = undefined;
    slot.delete(timed);
    if (singles.size === 0 || !singles.delete(slot)) return;
    cancels.get(slot)?.();
    cancels.delete(slot);
  }

  return {
    set(ms, timed) {
      cancel(timed);
      timed.slot = slotFor(ms);
      timed.slot.add(timed);
    },
    cancel,
    clear() {
      for (const [slot, cancelTimer] of cancels) {
        cancelTimer();
        for (const timed of slot) timed.slot = undefined;
      }
      cancels.clear();
      slots.clear();
      singles.clear();
    },
  };
}
