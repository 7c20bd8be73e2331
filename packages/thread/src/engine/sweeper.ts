import { errorCode, errorMessage, type Clock, type Logger } from "@hebra/core";

/** Looks for turns without an owner: at the start, and from time to time. */
export interface Sweeper {
  /** Looks once more before its time. */
  soon(): void;
  /** When it last looked, in milliseconds since the epoch, and why that failed, if it did. */
  last(): { at: number | null; error: unknown };
  /** Resolves when no look is under way. */
  idle(): Promise<void>;
}

/** Milliseconds after which a look that failed is repeated. */
const RETRY_MS = 1_000;

/** @param options - `everyMs`: milliseconds between two looks; `false` for none */
export function createSweeper(options: {
  everyMs: number | false;
  clock: Clock;
  logger: Logger;
  closed: AbortSignal;
  sweep(): Promise<unknown>;
}): Sweeper {
  const { everyMs, clock, logger, closed, sweep } = options;
  let last: { at: number | null; error: unknown } = { at: null, error: undefined };
  let cancel = () => {};
  let looking: Promise<void> | undefined;

  function plan(ms: number): void {
    cancel();
    if (!closed.aborted) cancel = clock.after(ms, () => void look());
  }

  function look(): Promise<void> {
    return (looking ??= lookNow().finally(() => (looking = undefined)));
  }

  async function lookNow(): Promise<void> {
    if (closed.aborted || everyMs === false) return;
    let error: unknown;
    try {
      await sweep();
    } catch (failure) {
      error = failure;
    }
    last = { at: clock.now(), error };
    // A store that was closed does not come back.
    if (errorCode(error) === "CLOSED" || closed.aborted) return;
    if (error !== undefined)
      logger.warn("The sweep for turns without an owner failed and is tried again.", {
        code: errorCode(error) ?? null,
        error: errorMessage(error),
      });
    plan(error === undefined ? everyMs : Math.min(RETRY_MS, everyMs));
  }

  closed.addEventListener("abort", () => cancel(), { once: true });
  if (everyMs !== false) plan(0);
  return {
    soon: () => void (everyMs !== false && plan(Math.min(RETRY_MS, everyMs))),
    last: () => last,
    idle: async () => looking,
  };
}
