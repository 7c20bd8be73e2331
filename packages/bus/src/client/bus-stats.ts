import type { RawStats } from "../backend.ts";
import type { DirectionStats } from "./bus-reports.ts";
import type { Body } from "../envelope.ts";

/** A direction's figures as they are shown. */
export function directionStats(raw: RawStats, now: number): DirectionStats {
  return {
    depth: raw.depth,
    oldestAgeMs: ageOf(raw.oldestEnqueuedAt, now),
    oldestWaitingAgeMs: ageOf(raw.oldestWaitingEnqueuedAt, now),
    inFlight: raw.inFlight,
    delayed: raw.delayed,
    parked: raw.parked,
    scheduled: raw.scheduled,
  };
}

function ageOf(at: number | undefined, now: number): number {
  return at === undefined ? 0 : Math.max(0, now - at);
}

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
