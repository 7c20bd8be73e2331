import { HebraError, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { AcquireOptions } from "./lock.ts";

/** The shortest ttl: a third of it must leave time for a renewal. */
export const MIN_TTL_MS = 100;

/** What every lock manager can be told. */
export interface LockManagerOptions {
  /** Milliseconds that a lock outlives a holder that stopped renewing it. @defaultValue 120 000 */
  ttlMs?: number;
  /** Milliseconds that `acquire` waits unless told otherwise. @defaultValue 30 000 */
  waitMs?: number;
  /** Where time comes from. @defaultValue the system's */
  clock?: Clock;
}

const isClock = (value: unknown): value is Clock => typeof (value as Clock | undefined)?.monotonic === "function";

/** The schema of {@link LockManagerOptions}, for adapters to spread into theirs. */
export const managerShape = {
  ttlMs: z
    .number()
    .min(MIN_TTL_MS)
    .max(2 ** 31 - 1)
    .default(120_000),
  waitMs: z.union([z.number().min(0), z.literal(Infinity)]).default(30_000),
  clock: z.custom<Clock>(isClock, "must be a Clock").default(systemClock),
};

/** @throws HebraError `INVALID_OPTIONS` */
export function assertTtl(value: unknown): number {
  if (typeof value === "number" && value >= MIN_TTL_MS && value < 2 ** 31) return Math.ceil(value);
  throw new HebraError(
    "INVALID_OPTIONS",
    `\`ttlMs\` is ${String(value)}; it must be a number of milliseconds, at least ${MIN_TTL_MS}.`,
  );
}

/** The options of one `acquire`, checked. By hand, as it happens thousands of times a second. */
export function readAcquireOptions(
  options: AcquireOptions | undefined,
  defaults: { ttlMs: number; waitMs: number },
): { ttlMs: number; waitMs: number; signal: AbortSignal | undefined } {
  if (options === undefined) return { ttlMs: defaults.ttlMs, waitMs: defaults.waitMs, signal: undefined };
  const { ttlMs = defaults.ttlMs, waitMs = defaults.waitMs, signal } = options;
  if (typeof waitMs !== "number" || !(waitMs >= 0)) {
    throw new HebraError(
      "INVALID_OPTIONS",
      `\`waitMs\` is ${String(waitMs)}; it must be 0, a number of milliseconds, or Infinity.`,
    );
  }
  return { ttlMs: assertTtl(ttlMs), waitMs, signal };
}
