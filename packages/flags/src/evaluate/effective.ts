import type { FlagOverride, GlobalRollout, Kill, Mode, RolloutConfig, UnitLists } from "./types.ts";
import { BUCKETS } from "./murmur.ts";

const RANK: Readonly<Record<Mode, number>> = { legacy: 0, shadow: 1, new: 2 };

/** The more careful of two modes: legacy before shadow before new. */
export function lesserMode(a: Mode, b: Mode): Mode {
  return RANK[a] <= RANK[b] ? a : b;
}

/** Whether `mode` is `wanted` or further. */
export function reaches(mode: Mode, wanted: Mode): boolean {
  return RANK[mode] >= RANK[wanted];
}

/** Everything about one flag that does not depend on the caller, after all layers were laid over each other. */
export interface EffectiveRollout {
  readonly version: number;
  /** Where the kill that is in force was set, if one is. */
  readonly killedBy: "kill.flag" | "kill.environment" | "kill.global" | undefined;
  readonly active: boolean;
  readonly maxMode: Mode;
  readonly salt: string;
  readonly unit: "session" | "project" | "org";
  /** Buckets below this are the new arm. */
  readonly canaryBelow: number;
  /** Buckets from this on are held back. */
  readonly holdBackFrom: number;
  readonly shadowBelow: number;
  readonly allowMode: Mode;
}

/** What {@link effectiveRollout} lays over each other; the first override wins where only one can. */
export interface Layers {
  readonly key: string;
  readonly rollout: RolloutConfig | undefined;
  /** Kills of the same flag in other documents: each of them counts. */
  readonly kills: readonly (Kill | null | undefined)[];
  readonly globals: readonly GlobalRollout[];
  readonly overrides: readonly FlagOverride[];
  readonly environment: string | undefined;
  /** The canary percent when no layer states one. */
  readonly defaultPercent: number;
}

/** A percentage with three decimals as a number of buckets. */
export function toBuckets(percent: number): number {
  return Math.min(BUCKETS, Math.max(0, Math.round(percent * 1000)));
}

/** Lays kill, caps and percentages of all layers over the document's entry. */
export function effectiveRollout(layers: Layers): EffectiveRollout {
  const { key, rollout, overrides } = layers;
  const own = layers.environment === undefined ? undefined : ownEntry(rollout?.environments, layers.environment);
  let version = rollout?.version ?? 0;
  let maxMode: Mode = "new";
  let cap = Math.min(rollout?.maxPercent ?? 100, own?.maxPercent ?? 100);
  for (const override of overrides) {
    version = Math.max(version, override.version ?? 0);
    maxMode = lesserMode(maxMode, override.maxMode ?? "new");
    cap = Math.min(cap, override.maxPercent ?? 100);
  }
  const stated = overrides.map(({ canaryPercent }) => canaryPercent).filter((percent) => percent !== undefined);
  const first = (field: "shadowPercent" | "holdBackPercent") =>
    overrides.find((override) => override[field] !== undefined)?.[field];
  const percent = Math.min(
    cap,
    stated.length > 0 ? Math.min(...stated) : (rollout?.canary?.percent ?? layers.defaultPercent),
  );
  const holdBack = first("holdBackPercent") ?? rollout?.holdBack?.percent ?? 0;
  const shadow = first("shadowPercent") ?? rollout?.shadow?.percent ?? 0;
  return {
    version,
    killedBy: killedBy(layers, own?.kill),
    active: rollout?.environments === undefined || own?.active === true,
    maxMode,
    salt: rollout?.bucketing?.salt ?? key,
    unit: rollout?.bucketing?.unit ?? "session",
    canaryBelow: maxMode === "new" ? toBuckets(percent) : 0,
    holdBackFrom: BUCKETS - toBuckets(holdBack),
    shadowBelow: maxMode === "legacy" ? 0 : toBuckets(shadow),
    allowMode: lesserMode(rollout?.allow?.mode ?? "new", maxMode),
  };
}

function killedBy(layers: Layers, environmentKill: Kill | null | undefined): EffectiveRollout["killedBy"] {
  const { rollout, globals, overrides, environment } = layers;
  if (isKill(rollout?.kill) || layers.kills.some(isKill) || overrides.some((override) => isKill(override.kill)))
    return "kill.flag";
  const byEnvironment = (entry: GlobalRollout) =>
    environment !== undefined && isKill(ownEntry(entry.environments, environment)?.kill);
  if (isKill(environmentKill) || globals.some(byEnvironment)) return "kill.environment";
  return globals.some((entry) => isKill(entry.kill)) ? "kill.global" : undefined;
}

const isKill = (kill: Kill | null | undefined) => kill !== undefined && kill !== null;

/** Names come from configuration: `constructor` must not find `Object.prototype`. */
function ownEntry<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A set of listed ids, or nothing when the list is empty. */
export function idSet(
  lists: UnitLists | undefined,
  unit: "session" | "project" | "org",
): ReadonlySet<string> | undefined {
  const ids = lists?.[unit];
  return ids === undefined || ids.length === 0 ? undefined : new Set(ids);
}
