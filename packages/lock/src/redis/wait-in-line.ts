import { errorCode, type Clock, type HebraError } from "@hebra/core";
import { outcomes } from "../outcomes.ts";

/** One who waits for a lock. */
export interface Waiter {
  /** A message says that the server gave it the lock, with this fence. */
  served(fence: number): void;
  /** Ends the wait with an error. */
  refuse(error: Error): void;
  /** Asks the server again now. */
  poll(): void;
}

/** What a wait needs. */
export interface WaitRequest {
  key: string;
  waitMs: number;
  signal: AbortSignal | undefined;
  clock: Clock;
  /** The monotonic time before the request that found the lock held. */
  sentAt: number;
  /** Milliseconds between two polls, each of which is a sign of life. */
  pollMs: number;
  /** For how long the server grants the lock to a waiter that it only told so. */
  graceMs: number;
  /**
   * Joins the line, or shows a sign of life in it: a fence when it is its turn; else, in an array, the milliseconds
   * after
   * which the lock may be free, -1 when others come first.
   */
  ask(): Promise<unknown>;
  /** Leaves the line, or gives back what was granted. */
  leave(): void;
  /**
   * The lock is held: granted by the answer to a request sent at `since`, or by a message, for `grantedMs` from then.
   */
  granted(fence: number, since: number, grantedMs: number | undefined): void;
  refused(error: Error): void;
}

/**
 * Waits in line. The server tells a waiter that it was served; in case that message is lost, and as a sign of life, the
 * waiter polls. The first in line polls when the holder's lease may end.
 */
export function waitInLine(request: WaitRequest): Waiter {
  const { key, waitMs, signal, clock, pollMs, graceMs } = request;
  let notYetAt = request.sentAt;
  let over = false;
  let lastFailure: HebraError | undefined;
  let cancelPoll: (() => void) | undefined;

  function end(): void {
    over = true;
    cancelPoll?.();
    cancelTimeout?.();
    signal?.removeEventListener("abort", abort);
  }

  function refuse(error: Error): void {
    if (over) return;
    end();
    request.leave();
    request.refused(error);
  }

  function pollAfter(hintMs: number): void {
    // Those who wait for one key must not ask all at once.
    const usual = pollMs * (0.8 + 0.2 * Math.random());
    const ms = hintMs >= 0 ? Math.min(usual, hintMs + 1) : usual;
    cancelPoll?.();
    // Somebody waits for the lock: also where no connection keeps the process alive.
    cancelPoll = clock.after(ms, poll, { keepAlive: true });
  }

  async function ask(): Promise<void> {
    const sent = clock.monotonic();
    const answer = await request.ask();
    if (over) {
      // Sent before the end, executed after it: in a cluster a redirected request may arrive late.
      if (typeof answer === "number") request.leave();
      return;
    }
    lastFailure = undefined;
    if (typeof answer === "number") {
      end();
      request.granted(answer, sent, undefined);
    } else {
      notYetAt = Math.max(notYetAt, sent);
      pollAfter(Number((answer as unknown[])[0]));
    }
  }

  function poll(): void {
    if (over) return;
    cancelPoll?.();
    cancelPoll = undefined;
    ask().catch((error: HebraError) => {
      if (over) return;
      if (errorCode(error) !== "UNREACHABLE") return refuse(error);
      lastFailure = error;
      pollAfter(-1);
    });
  }

  const abort = () => refuse(outcomes.aborted(key, signal!));
  const timeout = () => refuse(lastFailure ?? outcomes.timeout(key, waitMs));
  const cancelTimeout =
    waitMs === Infinity ? undefined : clock.after(Math.max(0, request.sentAt + waitMs - clock.monotonic()), timeout);
  signal?.addEventListener("abort", abort);
  poll();

  return {
    refuse,
    poll,
    served(fence) {
      if (over) return;
      // The grant came after the request that was last answered "not yet": counted from there, its time is never
      // overrated.
      if (clock.monotonic() >= notYetAt + graceMs * 0.75) return poll();
      end();
      request.granted(fence, notYetAt, graceMs);
    },
  };
}
