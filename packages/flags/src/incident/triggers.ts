import { wilsonUpper } from "../rollout/guards/frozen-baseline.ts";
import type { IncidentWindow } from "./aggregate.ts";

/** What a trigger says. */
export interface TriggerResult {
  readonly fired: boolean;
  /** One sentence with the figures. */
  readonly reason: string;
}

/** One-sided 97.5 % lower limit of a share (E. B. Wilson, JASA 22, 1927). */
export function wilsonLower(failures: number, trials: number): number {
  return trials === 0 ? 0 : Math.max(0, 1 - wilsonUpper(trials - failures, trials));
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

/** Limits of {@link errorRateTrigger}. */
export interface ErrorRateLimits {
  /** How many times the baseline. @defaultValue 2 */
  readonly factor?: number;
  /** @defaultValue 100 */
  readonly minAttempts?: number;
  /** A share below which nothing fires, for baselines near zero. @defaultValue 0.005 */
  readonly floor?: number;
}

/**
 * Error rate at least `factor` times the baseline: the lower confidence limit of the present share must be over it, so
 * that few attempts prove nothing.
 * One look at one window; a rollout's controller uses the guards' sequential tests instead.
 */
export function errorRateTrigger(
  present: Pick<IncidentWindow, "attempts" | "failures">,
  baseline: Pick<IncidentWindow, "attempts" | "failures">,
  limits: ErrorRateLimits = {},
): TriggerResult {
  const { factor = 2, minAttempts = 100, floor = 0.005 } = limits;
  if (present.attempts < minAttempts)
    return { fired: false, reason: `${present.attempts} of at least ${minAttempts} attempts.` };
  const usual = baseline.attempts === 0 ? 0 : baseline.failures / baseline.attempts;
  const bound = Math.max(floor, usual * factor);
  const lower = wilsonLower(present.failures, present.attempts);
  const share = present.failures / present.attempts;
  return {
    fired: lower > bound,
    reason: `${percent(share)} of ${present.attempts} attempts fail (lower limit ${percent(lower)}); the bound is ${percent(bound)}.`,
  };
}

/** Limits of {@link unknownGrowthTrigger}. */
export interface GrowthLimits {
  /** How many of the last windows are looked at. @defaultValue 6 */
  readonly windows?: number;
  /** How many of them must be above the one before. @defaultValue 4 */
  readonly rising?: number;
  /** Fewest unknown incidents in them. @defaultValue 5 */
  readonly least?: number;
}

/**
 * UNKNOWN incidents in sustained growth: most of the last windows have a higher rate than the one before, and the slope
 * of the line through them is positive.
 */
export function unknownGrowthTrigger(windows: readonly IncidentWindow[], limits: GrowthLimits = {}): TriggerResult {
  const { windows: wanted = 6, rising: needed = 4, least = 5 } = limits;
  const latest = windows.slice(-(wanted + 1));
  if (latest.length < wanted + 1)
    return { fired: false, reason: `${latest.length} of ${wanted + 1} windows are known.` };
  const rates = latest.map((window) => (window.attempts === 0 ? 0 : window.unknown / window.attempts));
  const rising = rates.filter((rate, at) => at > 0 && rate > rates[at - 1]!).length;
  const total = latest.slice(1).reduce((sum, window) => sum + window.unknown, 0);
  const slope = slopeOf(rates);
  return {
    fired: rising >= needed && slope > 0 && total >= least,
    reason: `The rate of UNKNOWN incidents rose in ${rising} of ${wanted} windows (${total} incidents, slope ${slope.toExponential(2)} a window).`,
  };
}

/** Least squares. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [above, below] = [0, 0];
  for (const [at, value] of values.entries()) {
    above += (at - middle) * (value - mean);
    below += (at - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** A critical failure: no success in at least `attempts` attempts, or one incident of a listed class. */
export function criticalTrigger(
  operation: { readonly attempts: number; readonly successes: number },
  codes: readonly string[],
  limits: { readonly attempts?: number; readonly classes?: readonly string[] } = {},
): TriggerResult {
  const { attempts = 5, classes = [] } = limits;
  const listed = codes.find((code) => classes.includes(code));
  if (listed !== undefined) return { fired: true, reason: `The error class ${listed} occurred.` };
  const fired = operation.attempts >= attempts && operation.successes === 0;
  return { fired, reason: `${operation.successes} successes in ${operation.attempts} attempts.` };
}
