import type { Clock } from "@hebra/core";

/** A clock whose timers can be held back, as those of a stopped process are. */
export function freezableClock(clock: Clock): { clock: Clock; freeze(): void; thaw(): void } {
  let frozen = false;
  const late = new Set<() => void>();
  return {
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after(ms, callback) {
        const cancel = clock.after(ms, () => {
          if (frozen) late.add(callback);
          else callback();
        });
        return () => {
          cancel();
          late.delete(callback);
        };
      },
    },
    freeze: () => void (frozen = true),
    thaw() {
      frozen = false;
      for (const callback of late) {
        late.delete(callback);
        callback();
      }
    },
  };
}
