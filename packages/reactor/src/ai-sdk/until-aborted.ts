import { abortedError } from "../aborted.ts";

/**
 * Passes values on until the signal aborts, also when the source does not notice: a provider may hang. When its consumer
 * leaves, or at an abort, the source is told to end but not waited for.
 *
 * @throws HebraError `ABORTED`
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let wake: ((error: Error) => void) | undefined;
  const onAbort = () => wake?.(abortedError(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  let ended = false;
  try {
    for (;;) {
      if (signal.aborted) throw abortedError(signal);
      const next = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        wake = reject;
        iterator.next().then(resolve, reject);
      });
      if (signal.aborted) throw abortedError(signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    if (!ended) iterator.return?.().then(undefined, () => {});
  }
}
