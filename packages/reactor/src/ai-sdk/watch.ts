import { HebraError, type Clock } from "@hebra/core";
import { abortedError } from "../aborted.ts";

/** What ends a wait. */
export interface WatchOptions {
  signal: AbortSignal;
  /** The longest wait, in milliseconds. `Infinity` for no limit. */
  silenceMs: number;
  clock: Clock;
}

/** Waits for what may never come. */
export interface Watch {
  /** @throws HebraError `ABORTED` or `TIMEOUT` when that comes first, at once, whether or not the promise notices */
  wait<T>(promise: PromiseLike<T>): Promise<T>;
  /** Lets go of the signal and the clock. */
  close(): void;
}

/** Ends waits at an abort, and when they take too long: a provider may hang. The time between waits does not count. */
export function createWatch({ signal, silenceMs, clock }: WatchOptions): Watch {
  let since: number | undefined;
  let fail: (error: Error) => void = () => {};
  let cancelTimer: () => void = () => {};
  const onAbort = () => fail(abortedError(signal));
  // One timer that looks at the time, instead of a new one for every piece of text.
  const arm = (ms: number) => {
    cancelTimer = clock.after(ms, () => {
      const waited = since === undefined ? 0 : clock.monotonic() - since;
      if (waited < silenceMs) arm(silenceMs - waited);
      else
        fail(
          new HebraError(
            "TIMEOUT",
            `Nothing came from the model for ${silenceMs} ms. Raise \`silenceMs\` where that is normal.`,
            { details: { silenceMs } },
          ),
        );
    });
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (silenceMs !== Infinity) arm(silenceMs);
  return {
    wait: (promise) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) reject(abortedError(signal));
        since = clock.monotonic();
        fail = reject;
        promise.then((value) => {
          since = undefined;
          if (signal.aborted) reject(abortedError(signal));
          else resolve(value);
        }, reject);
      }),
    close() {
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
    },
  };
}
