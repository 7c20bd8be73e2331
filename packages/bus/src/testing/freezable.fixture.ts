import type { Clock } from "@hebra/core";
import type { Backend, BackendListener } from "../backend.ts";

/** Holds a process still: its timers, its calls and its news wait until it is let go. */
export interface Freezer {
  freeze(): void;
  thaw(): void;
  clock(clock: Clock): Clock;
  backend(backend: Backend): Backend;
}

/** A freezer that holds nothing yet. */
export function createFreezer(): Freezer {
  let frozen = false;
  const late = new Set<() => void>();
  const whenThawed = (callback: () => void): (() => void) => {
    if (!frozen) {
      callback();
      return () => {};
    }
    late.add(callback);
    return () => void late.delete(callback);
  };
  const gate = () => new Promise<void>((resolve) => void whenThawed(resolve));
  return {
    freeze: () => void (frozen = true),
    thaw() {
      frozen = false;
      for (const callback of late) {
        late.delete(callback);
        callback();
      }
    },
    clock: (clock) => ({
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after(ms, callback) {
        let forget = () => {};
        const cancel = clock.after(ms, () => (forget = whenThawed(callback)));
        return () => {
          cancel();
          forget();
        };
      },
    }),
    backend(backend) {
      return new Proxy(backend, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name, target);
          if (name === "start") {
            return (listener: BackendListener, holder: string) =>
              target.start(
                {
                  ready: (...args) => {
                    let hasRoom = false;
                    whenThawed(() => (hasRoom = listener.ready(...args)));
                    return hasRoom;
                  },
                  // Frozen, it asks for nothing.
                  willClaim: () => false,
                  notice: (...args) => void whenThawed(() => listener.notice(...args)),
                  health: (...args) => void whenThawed(() => listener.health(...args)),
                },
                holder,
              );
          }
          if (typeof member !== "function" || ["partitionOf", "watchSpace", "now"].includes(String(name)))
            return member;
          return async (...args: unknown[]) => {
            await gate();
            return (member as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      });
    },
  };
}
