import type { RawStats } from "./backend.ts";
import type { DirectionStats } from "./bus-reports.ts";

/** A direction's figures as they are shown. */
export function directionStats(raw: RawStats, now: number): DirectionStats {
  return {
    depth: raw.depth,
    oldestAgeMs: raw.oldestEnqueuedAt === undefined ? 0 : Math.max(0, now - raw.oldestEnqueuedAt),
    inFlight: raw.inFlight,
    delayed: raw.delayed,
    parked: raw.parked,
    scheduled: raw.scheduled,
  };
}

/** Figures of nothing, to add to. */
export function emptyStats(): RawStats {
  return { depth: 0, oldestEnqueuedAt: undefined, inFlight: 0, delayed: 0, parked: 0, scheduled: 0 };
}

/** Adds the figures of one space to those of others. */
export function addStats(sum: RawStats, own: RawStats): void {
  for (const key of ["depth", "inFlight", "delayed", "parked", "scheduled"] as const) sum[key] += own[key];
  if (own.oldestEnqueuedAt !== undefined) sum.oldestEnqueuedAt = Math.min(sum.oldestEnqueuedAt ?? Infinity, own.oldestEnqueuedAt);
}

/** Reads `enqueuedAt` off the first bytes of an envelope. */
export function enqueuedAtOf(body: string): number | undefined {
  const match = /^\{"v":\d+,"enqueuedAt":(\d+),/.exec(body.slice(0, 64));
  return match === null ? undefined : Number(match[1]);
}
