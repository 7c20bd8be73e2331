import { atMost } from "./upper-limit.ts";

/**
 * Whether so many of a handful of runs are too many for a share that is allowed: less than 1 in 100 such handfuls would
 * have them. What a share really is, only the many runs of `npm run soak` can show.
 */
export const tooMany = (count: number, runs: number, allowed: number): boolean =>
  count > 0 && 1 - atMost(count - 1, runs, allowed) < 0.01;
