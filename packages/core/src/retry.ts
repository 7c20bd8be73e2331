import { HebraError } from "./errors.ts";

/** What {@link backoffDelay} needs to know. Times are milliseconds. */
export interface BackoffOptions {
  /** The attempt that failed: 1 for the first. */
  attempt: number;
  /** The longest wait after the first attempt; it doubles with each further one. */
  baseMs: number;
  /** The longest wait after any attempt. */
  maxMs: number;
  /** A number in [0, 1). @defaultValue `Math.random` */
  random?: () => number;
  /** What the other side asked for. The wait is never shorter, even if that exceeds `maxMs`. */
  retryAfterMs?: number;
}

/**
 * How long to wait before the next attempt: exponential with full jitter, `random · min(maxMs, baseMs · 2^(attempt −
 * 1))`. After the
 * other side's `Retry-After` comes the same jitter, so that those who were told the same moment do not all return at
 * it.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @throws HebraError `INVALID_OPTIONS` when a number is not finite or negative, or `attempt` is no positive integer.
 *
 * @example
 * ```ts
 * import { backoffDelay } from "@hebra/core";
 *
 * console.log(backoffDelay({ attempt: 3, baseMs: 100, maxMs: 10_000, random: () => 0.5 })); // 200
 * ```
 */
export function backoffDelay(options: BackoffOptions): number {
  const { attempt, baseMs, maxMs, random = Math.random, retryAfterMs = 0 } = options;
  if (!Number.isSafeInteger(attempt) || attempt < 1) refuse("attempt", "a positive integer");
  for (const [name, value] of Object.entries({ baseMs, maxMs, retryAfterMs })) {
    if (!Number.isFinite(value) || value < 0) refuse(name, "a number of milliseconds, zero or more");
  }
  // 2^1023 is the largest power that is still finite; the cap is reached long before.
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 1_023));
  return retryAfterMs + Math.floor(random() * ceiling);
}

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3).
 *
 * @param now - milliseconds since the epoch
 * @returns milliseconds from now, zero for the past, `undefined` for what is neither
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1_000);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function refuse(name: string, expected: string): never {
  throw new HebraError("INVALID_OPTIONS", `backoffDelay: \`${name}\` must be ${expected}.`, {
    details: { where: "backoffDelay", option: name },
  });
}
