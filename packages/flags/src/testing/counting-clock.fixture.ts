import { systemClock, type Clock } from "@hebra/core";

/** The machine's clock, counting the timers that are set. */
export function countingClock(): Clock & { pending(): number } {
  let pending = 0;
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic(),
    after(ms, callback) {
      pending++;
      let over = false;
      const end = () => {
        if (over) return;
        over = true;
        pending--;
      };
      const cancel = systemClock.after(ms, () => {
        end();
        callback();
      });
      return () => {
        end();
        cancel();
      };
    },
    pending: () => pending,
  };
}
