import type { RawStats } from "./backend.ts";
import type { Body } from "./envelope.ts";

/** Figures of nothing, to add to. */
export function emptyStats(): RawStats {
  return {
    depth: 0,
    oldestEnqueuedAt: undefined,
    oldestWaitingEnqueuedAt: undefined,
    inFlight: 0,
    delayed: 0,
    parked: 0,
    scheduled: 0,
  };
}

/** Adds the figures of one space to those of others. */
export function addStats(sum: RawStats, own: RawStats): void {
  for (const key of ["depth", "inFlight", "delayed", "parked", "scheduled"] as const) sum[key] += own[key];
  sum.oldestEnqueuedAt = earlier(sum.oldestEnqueuedAt, own.oldestEnqueuedAt);
  sum.oldestWaitingEnqueuedAt = earlier(sum.oldestWaitingEnqueuedAt, own.oldestWaitingEnqueuedAt);
}

/** The earlier of two times, where there are any. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** When an envelope was published; of text, only the first bytes are read. */
export function enqueuedAtOf(body: Body): number | undefined {
  if (typeof body !== "string") return body.enqueuedAt;
  const match = /^\{"v":\d+,"enqueuedAt":(\d+),/.exec(body.slice(0, 64));
  return match === null ? undefined : Number(match[1]);
}
