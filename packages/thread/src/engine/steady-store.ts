import { backoffDelay, errorCode, sleep, type Clock, type Logger } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import { isOutage, isStoreError, markStoreError } from "./turn/turn-errors.ts";

/** How calls of a store are tried again. */
export interface RetryOptions {
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Whether an outage is waited out, however long; else a call is tried {@link TRIES} times. */
  patient: boolean;
}

/** How often a call is tried that fails in a way that may pass. */
export const TRIES = 5;
const BASE_MS = 100;
const MAX_MS = 2_000;

/** Whether a failed call is tried again. @param attempt - the one that failed, from 1 */
export function isTriedAgain(error: unknown, attempt: number, { signal, patient }: RetryOptions): boolean {
  if (signal.aborted || !isStoreError(error) || errorCode(error) === "CLOSED") return false;
  return attempt < TRIES || (patient && isOutage(error));
}

/** Waits before the next try. @throws the signal's reason: why the lease is gone, or that the engine was closed */
export async function pause(attempt: number, { clock, random, signal }: RetryOptions): Promise<void> {
  const delay = backoffDelay({ attempt, baseMs: BASE_MS, maxMs: MAX_MS, random });
  try {
    // An outage outlasts the first tries: without a floor they would be a busy loop.
    await sleep(clock, attempt < TRIES ? delay : Math.max(BASE_MS, delay), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

const reads = ["load", "execution", "history", "journal", "stateAt", "approval", "takeOver"] as const;

/**
 * A store for work that nobody waits for: what may be repeated is tried again where it failed in a way that may pass,
 * and every error is known as the store's. Writes of a turn are repeated by `commitWithRetry`, which knows whether one
 * was written.
 */
export function steadyStore(store: ThreadStore, options: RetryOptions): ThreadStore {
  async function marked(call: () => Promise<unknown>): Promise<unknown> {
    try {
      return await call();
    } catch (error) {
      markStoreError(error);
      throw error;
    }
  }

  async function retried(verb: string, call: () => Promise<unknown>): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await marked(call);
      } catch (error) {
        if (!isTriedAgain(error, attempt, options)) throw error;
        options.logger.warn("A read failed and is tried again.", { verb, attempt, code: errorCode(error) ?? null });
        await pause(attempt, options);
      }
    }
  }

  const steady: ThreadStore = Object.create(store) as ThreadStore;
  for (const verb of reads) {
    const call = store[verb].bind(store) as (...args: unknown[]) => Promise<unknown>;
    Object.defineProperty(steady, verb, { value: (...args: unknown[]) => retried(verb, () => call(...args)) });
  }
  Object.defineProperty(steady, "watch", { value: store.watch.bind(store) });
  Object.defineProperty(steady, "commit", {
    value: (...args: Parameters<ThreadStore["commit"]>) => marked(() => store.commit(...args)),
  });
  return steady;
}
