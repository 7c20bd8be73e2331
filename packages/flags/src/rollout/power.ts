import type { ArmSum } from "./counter-row.ts";
import type { GuardLimits } from "./guards/types.ts";

/** What the errors guard can find at the present traffic. Estimates, for people. */
export interface Power {
  /** Units an hour in each arm. */
  readonly perHour: { readonly new: number; readonly legacy: number };
  /** Failing share of the legacy arm that is reckoned with. */
  readonly base: number;
  /** How many hours of this traffic, and units of the new arm, a failing share of so many times the base takes. */
  readonly found: readonly { readonly ratio: number; readonly hours: number; readonly units: number }[];
  /** The smallest ratio that the step's window can find; `undefined` when even 100 times would not show. */
  readonly smallest?: number;
}

/** What averaging over alternatives costs a test beside the best one, as a natural logarithm. */
const MIXTURE_COST = 2;
const HOUR = 3_600_000;

/** Evidence of one unit of both arms together, by the best test of a conditional share against `ratio`. */
function perUnit(share: number, base: number, ratio: number): number {
  const failing = Math.min(1, base * ratio);
  const weight = share * failing + (1 - share) * base;
  if (weight === 0) return 0;
  const [seen, planned] = [(share * failing) / weight, share];
  const part = (p: number, q: number) => (p === 0 ? 0 : p * Math.log(p / q));
  return weight * (part(seen, planned) + part(1 - seen, 1 - planned));
}

/**
 * Which ratio of failing shares the running step can find, and when. The expected evidence of a unit is the divergence
 * of the split of failures from the split of units; a rollback takes `rollbackAt`, and the averaging over steps and
 * alternatives costs a little more.
 *
 * @param input - `observedMs`: time with traffic so far; `windowMs`: of the step
 */
export function powerOf(input: {
  readonly new: Pick<ArmSum, "judged" | "failed">;
  readonly legacy: Pick<ArmSum, "judged" | "failed">;
  readonly observedMs: number;
  readonly windowMs: number;
  readonly restarts: number;
  readonly limits: Pick<GuardLimits, "rollbackAt">;
}): Power | undefined {
  const { new: fresh, legacy, observedMs, windowMs, restarts, limits } = input;
  if (fresh.judged === 0 || legacy.judged === 0 || observedMs < 60_000) return undefined;
  const hours = observedMs / HOUR;
  const perHour = { new: fresh.judged / hours, legacy: legacy.judged / hours };
  const units = perHour.new + perHour.legacy;
  const share = perHour.new / units;
  // Without a failure so far, half of one: a base of nothing would find everything at once.
  const base = Math.max(legacy.failed, 0.5) / legacy.judged;
  const needed = Math.log(limits.rollbackAt) + Math.log(restarts) + MIXTURE_COST;
  const hoursFor = (ratio: number): number => needed / (perUnit(share, base, ratio) * units);
  const found = [2, 3, 5, 10].map((ratio) => ({
    ratio,
    hours: hoursFor(ratio),
    units: Math.ceil(hoursFor(ratio) * perHour.new),
  }));
  const window = Math.max(windowMs, observedMs) / HOUR;
  let [low, high] = [1, 100];
  if (hoursFor(high) > window) return { perHour, base, found };
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (hoursFor(middle) > window) low = middle;
    else high = middle;
  }
  return { perHour, base, found, smallest: high };
}
