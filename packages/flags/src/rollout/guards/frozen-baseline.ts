import { addBinomial, logSumExp, noEvidence } from "./mixture.ts";
import { noData, quiet, switchedOff, verdict, type Guard } from "./types.ts";

/**
 * One-sided 97.5 % upper limit of a share (E. B. Wilson, JASA 22, 1927): what the frozen counters can at most have
 * meant.
 */
export function wilsonUpper(failures: number, trials: number, z = 1.959964): number {
  if (failures >= trials) return 1;
  const share = failures / trials;
  const centre = share + (z * z) / (2 * trials);
  const spread = z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  return Math.min(1, (centre + spread) / (1 + (z * z) / trials));
}

/**
 * With hardly any concurrent control left, an e-CUSUM against the legacy counters frozen at the last step with at most
 * half of the traffic: after each
 * block the statistic restarts at 1 if it fell below, else it multiplies on (J. Shin, A. Ramdas, A. Rinaldo,
 * "E-detectors: a nonparametric framework for
 * sequential change detection", New England Journal of Statistics in Data Science 2, 2024). A baseline of another day
 * is no control, so it only pauses.
 */
export const frozenBaseline: Guard = (input, limits) => {
  if (input.share <= limits.baselineShare)
    return switchedOff("frozen-baseline", "The concurrent legacy arm is large enough.", { share: input.share });
  const baseline = input.baseline;
  if (baseline === undefined || baseline.judged === 0) {
    return noData("frozen-baseline", "No step with at most half of the traffic left a baseline.");
  }
  const limit = Math.min(0.5, wilsonUpper(baseline.failed, baseline.judged));
  const level = noEvidence();
  for (const block of input.blocks) {
    for (let at = 0; at < level.length; at++) level[at] = Math.max(0, level[at]!);
    addBinomial(level, block.new.failed, block.new.judged, limit);
  }
  const logE = logSumExp(level) - Math.log(level.length);
  const values = { logE, baselineUpper: limit, pauseAtLogE: Math.log(limits.baselineAt) };
  if (logE < Math.log(limits.baselineAt))
    return quiet("frozen-baseline", "No change against the frozen baseline.", values);
  return verdict(
    "frozen-baseline",
    "pause",
    "More sessions fail than the legacy engine's did at the last step with a full control.",
    values,
  );
};
