import { backoffDelay, HebraError, parseRetryAfter } from "@hebra/core";
import type { NackOptions } from "./bus.ts";
import type { BusSettings } from "./bus-options.ts";

/** What happens to a failed delivery. */
export type Verdict =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "bury"; readonly cause: "exhausted" | "permanent" | "too-old" };

/** What is known of a failed delivery. */
export interface Failure {
  /** Deliveries of the first message, the failed one included. */
  readonly attempt: number;
  /** Milliseconds since the first message was published. */
  readonly ageMs: number;
  /** Messages in the delivery. */
  readonly messages: number;
}

/** Decides on a failed delivery. Which of several messages is to blame is unknown: they are tried one by one first. */
export function judge(
  failure: Failure,
  options: NackOptions,
  retry: BusSettings["retry"],
  random: () => number,
  now: number,
): Verdict {
  const alone = failure.messages === 1;
  const permanent = options.permanent ?? isPermanent(options.error);
  if (alone && permanent) return { kind: "bury", cause: "permanent" };
  if (failure.attempt >= retry.maxAttempts) return { kind: "bury", cause: "exhausted" };
  if (alone && failure.ageMs > retry.maxAgeMs) return { kind: "bury", cause: "too-old" };
  if (options.delayMs !== undefined) return { kind: "retry", delayMs: Math.max(0, Math.round(options.delayMs)) };
  if (permanent) return { kind: "retry", delayMs: 0 };
  const retryAfterMs = retryAfterOf(options.error, now);
  const delayMs = backoffDelay({
    attempt: failure.attempt,
    baseMs: retry.baseMs,
    maxMs: retry.capMs,
    random,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  return { kind: "retry", delayMs };
}

/** Whether an error says of itself that trying again is pointless. What says nothing is worth another try. */
export function isPermanent(error: unknown): boolean {
  if (HebraError.isInstance(error)) return !error.retryable;
  return typeof error === "object" && error !== null && (error as { isRetryable?: unknown }).isRetryable === false;
}

/** The wait that the other side asked for, anywhere in the chain of causes. */
export function retryAfterOf(error: unknown, now: number): number | undefined {
  let link = error;
  for (let depth = 0; depth < 4 && typeof link === "object" && link !== null; depth++) {
    const { details, retryAfterMs, responseHeaders, cause } = link as {
      details?: { retryAfterMs?: unknown };
      retryAfterMs?: unknown;
      responseHeaders?: Record<string, unknown>;
      cause?: unknown;
    };
    for (const value of [details?.retryAfterMs, retryAfterMs]) {
      if (typeof value === "number" && Number.isFinite(value) && value >= 0) return Math.round(value);
    }
    const header = responseHeaders?.["retry-after"];
    const parsed = typeof header === "string" ? parseRetryAfter(header, now) : undefined;
    if (parsed !== undefined) return parsed;
    link = cause;
  }
  return undefined;
}
