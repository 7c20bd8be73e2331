import { HebraError } from "@hebra/core";

/** The largest fence that may be seeded: far beyond every clock, and with room to count on from it. */
const MAX_SEED = 2 ** 53 - 2 ** 32;

/** How long a key's own count is remembered, in milliseconds. The Redis scripts keep theirs as long. */
const MEMORY_MS = 86_400_000;

/**
 * The fence after `last`: one more, and at least the microseconds since the Unix epoch.
 *
 * A counter alone starts again at 1 when its backend forgets it; a clock alone may stand still or go back. Together
 * they
 * grow as long as not both happen at once (a hybrid logical clock with one writer; Kulkarni et al., 2014).
 */
export function nextFence(last: number, nowMs: number): number {
  return Math.max(last + 1, Math.trunc(nowMs * 1000));
}

/**
 * Checks that a number can be a key's last fence.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export function assertFence(fence: unknown): asserts fence is number {
  if (typeof fence === "number" && Number.isSafeInteger(fence) && fence >= 0 && fence <= MAX_SEED) return;
  throw new HebraError("INVALID_OPTIONS", `A fence is an integer from 0 to ${MAX_SEED}; this one is ${String(fence)}.`);
}

/** Issues the fences of every key of one process. */
export interface FenceSource {
  /** The next fence of a key. */
  next(key: string, nowMs: number): number;
  /** The next fence of the key will be larger than this. */
  seed(key: string, lastFence: number, nowMs: number): void;
  /** How many keys have a count of their own. */
  size(): number;
}

/**
 * Fences from one count for all keys, so that nothing needs remembering for a key. Only keys that were seeded ahead of
 * that count have their own, for a day.
 */
export function createFenceSource(): FenceSource {
  let last = 0;
  const ahead = new Map<string, { last: number; until: number }>();
  return {
    next(key, nowMs) {
      const own = ahead.size === 0 ? undefined : ahead.get(key);
      const fence = nextFence(Math.max(last, own?.last ?? 0), nowMs);
      if (own !== undefined && fence === own.last + 1) {
        ahead.delete(key);
        ahead.set(key, { last: fence, until: nowMs + MEMORY_MS });
      } else {
        last = fence;
        if (own !== undefined) ahead.delete(key);
      }
      return fence;
    },
    seed(key, lastFence, nowMs) {
      // Oldest first, as every change moves a key to the end.
      for (const [old, { until }] of ahead) {
        if (until > nowMs) break;
        ahead.delete(old);
      }
      if (lastFence <= Math.max(last, ahead.get(key)?.last ?? 0)) return;
      ahead.delete(key);
      ahead.set(key, { last: lastFence, until: nowMs + MEMORY_MS });
    },
    size: () => ahead.size,
  };
}
