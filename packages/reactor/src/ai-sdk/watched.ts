import { HebraError, type Clock } from "@hebra/core";
import { abortedError } from "../aborted.ts";

/** What ends a wait for the next value. */
export interface WatchOptions {
  signal: AbortSignal;
  /** The longest wait for one value, in milliseconds. `Infinity` for no limit. */
  silenceMs: number;
  clock: Clock;
}

/**
 * Passes values on until the signal aborts or the source is silent for too long, also when the source does not notice: a
 * provider may hang. When its consumer leaves, or at an abort, the source is told to end but not waited for. The time that
 * the consumer takes does not count.
 *
 * @throws HebraError `ABORTED` or `TIMEOUT`
 */
export async function* watched<T>(source: AsyncIterable<T>, { signal, silenceMs, clock }: WatchOptions): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let since: number | undefined;
  let fail: (error: Error) => void = () => {};
  let cancelTimer: () => void = () => {};
  const onAbort = () => fail(abortedError(signal));
  // One timer that looks at the time, instead of a new one for every piece of text.
  const arm = (ms: number) => {
    cancelTimer = clock.after(ms, () => {
      const waited = since === undefined ? 0 : clock.monotonic() - since;
      if (waited < silenceMs) arm(silenceMs - waited);
      else fail(new HebraError("TIMEOUT", `The model was silent for ${silenceMs} ms. Raise \`silenceMs\` where that is normal.`, { details: { silenceMs } }));
    });
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (silenceMs !== Infinity) arm(silenceMs);
  let ended = false;
  try {
    for (;;) {
      if (signal.aborted) throw abortedError(signal);
      since = clock.monotonic();
      const next = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        fail = reject;
        iterator.next().then(resolve, reject);
      });
      since = undefined;
      if (signal.aborted) throw abortedError(signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", onAbort);
    if (!ended) iterator.return?.().then(undefined, () => {});
  }
}
