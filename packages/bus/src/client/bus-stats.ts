import type { RawStats } from "../backend.ts";
import type { DirectionStats } from "./bus-reports.ts";

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
