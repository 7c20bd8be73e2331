import { BUCKETS } from "./murmur.ts";
import { isHandWritten } from "./compile-all.ts";
import { globalRollout, rolloutEntries } from "./document.ts";
import { effectiveRollout, type EffectiveRollout } from "./effective.ts";
import type { FlagdFlag, FlagDocument, Mode, RolloutConfig, UnitLists } from "./types.ts";

type Rule = Record<string, unknown>;
const UNITS = ["session", "project", "org"] as const;

/**
 * Adds to a document, for each rollout, the flag that flagd's own evaluator needs to give the same modes: lists become
 * `in`, percentages become
 * `fractional` over the same hash and the same 100,000 buckets. What flagd has no words for is left out: prerequisites
 * and ends of pins;
 * the environment must be chosen here. On ids beyond ASCII flagd's JavaScript hash differs from ours, which hashes
 * UTF-8.
 *
 * Never serve a live ramp from the exported rules and from ours at once. `metadata.hebraAlgorithm` says how they were
 * made.
 *
 * @example
 * ```ts
 * import { exportFlagd } from "@hebra/flags";
 *
 * const document = exportFlagd({ flags: {}, rollouts: { "engine-v2": { version: 1, canary: { percent: 12.5 } } } }, {
 * environment: "production" });
 * console.log(JSON.stringify(document.flags["engine-v2"]?.targeting));
 * ```
 */
export function exportFlagd(document: FlagDocument, options: { readonly environment?: string } = {}): FlagDocument {
  const flags: Record<string, FlagdFlag> = { ...document.flags };
  const everyFlag = globalRollout(document);
  const globals = everyFlag === undefined ? [] : [everyFlag];
  for (const [key, rollout] of rolloutEntries(document)) {
    const current = flags[key];
    if (current !== undefined && isHandWritten(current)) continue;
    flags[key] = {
      state: current?.state ?? "ENABLED",
      variants: { legacy: "legacy", shadow: "shadow", new: "new" },
      defaultVariant: "legacy",
      targeting: targetingOf(
        rollout,
        effectiveRollout({
          key,
          rollout,
          kills: [],
          globals,
          overrides: [],
          environment: options.environment,
          defaultPercent: 0,
        }),
      ),
      metadata: {
        ...current?.metadata,
        hebraGenerated: true,
        hebraAlgorithm: "murmur3-32-utf8-1e5",
        hebraVersion: rollout.version,
      },
    };
  }
  return { ...document, flags };
}

function targetingOf(rollout: RolloutConfig, effective: EffectiveRollout): Rule {
  if (effective.killedBy !== undefined || !effective.active) return {};
  const branches: unknown[] = [];
  const lists = (from: UnitLists | undefined, mode: Mode) => {
    for (const unit of UNITS)
      if ((from?.[unit]?.length ?? 0) > 0) branches.push({ in: [{ var: unit }, from![unit]] }, mode);
  };
  lists(rollout.deny, "legacy");
  for (const unit of UNITS)
    for (const pin of rollout.pin ?? [])
      if (pin.unit === unit) branches.push({ "===": [{ var: unit }, pin.id] }, pin.mode);
  lists(rollout.allow, effective.allowMode);
  branches.push({ "!": [{ var: effective.unit }] }, "legacy");
  return { if: [...branches, lots(effective)] };
}

function lots({ salt, unit, holdBackFrom, canaryBelow, shadowBelow }: EffectiveRollout): Rule {
  const canary = Math.min(canaryBelow, holdBackFrom);
  const drawn = (prefix: string) => ({ cat: [`${prefix}:`, { var: unit }] });
  const rest =
    shadowBelow === 0
      ? "legacy"
      : { fractional: [drawn(`${salt}/shadow`), ["shadow", shadowBelow], ["legacy", BUCKETS - shadowBelow]] };
  return {
    fractional: [drawn(salt), ["new", canary], [rest, holdBackFrom - canary], ["legacy", BUCKETS - holdBackFrom]],
  };
}
