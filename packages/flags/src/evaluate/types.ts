import type { ErrorCode } from "@hebra/core";

/** What serves a session: the old engine, the old engine with the new one run aside, or the new engine. */
export type Mode = "legacy" | "shadow" | "new";

/** Which kind of thing is listed, pinned or put into buckets. */
export type Unit = "session" | "project" | "org";

/**
 * Who asks. Ids are opaque: no case folding, no Unicode normalisation. The environment is the client's, not the
 * caller's.
 */
export interface FlagContext {
  /** The conversation. The usual unit of a percentage. */
  readonly session?: string;
  readonly project?: string;
  readonly org?: string;
  /** Read only by flags with hand-written flagd `targeting`. */
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Why a decision came out as it did. */
export type Reason =
  | "ERROR"
  | "KILL_SWITCH"
  | "BREAKER"
  | "DISABLED"
  | "STATIC"
  | "TARGETING_MATCH"
  | "PREREQUISITE"
  | "ASSIGNED"
  | "SPLIT"
  | "DEFAULT";

/** The rule that decided; stable, for logs and counters. */
export type RuleId =
  | "not-ready"
  | "not-found"
  | "invalid"
  | "failed"
  | "stale"
  | "kill.flag"
  | "kill.environment"
  | "kill.global"
  | "breaker"
  | "disabled"
  | "environment"
  | "deny.session"
  | "deny.project"
  | "deny.org"
  | "pin.session"
  | "pin.project"
  | "pin.org"
  | "prerequisite"
  | "assigned"
  | "allow.session"
  | "allow.project"
  | "allow.org"
  | "missing-unit"
  | "hold-back"
  | "canary"
  | "shadow"
  | "targeting"
  | "default";

/**
 * The side of the comparison a unit counts for. Listed, denied and pinned units were not drawn at random and count for
 * neither.
 */
export type Arm = "new" | "control";

/** The answer of one evaluation. Frozen or fresh; never mutate it. */
export interface Decision {
  readonly mode: Mode;
  readonly reason: Reason;
  readonly ruleId: RuleId;
  /** 0 … 99,999, or -1 when no unit was put into a bucket. */
  readonly bucket: number;
  readonly arm: Arm | undefined;
  /** Version of the `rollouts` entry; 0 when there is none. */
  readonly flagVersion: number;
  /** Set exactly when `reason` is `ERROR`. */
  readonly errorCode: ErrorCode | undefined;
}

/**
 * The engine that serves a session already. Only a kill, deny, pin or rollback (`maxMode`) takes it from the new one.
 */
export interface Assigned {
  readonly mode: "new";
  readonly arm: Arm | undefined;
}

/** Who switched something off, and why. */
export interface Kill {
  /** ISO 8601 instant. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}

/** Lists of ids by unit. */
export interface UnitLists {
  readonly session?: readonly string[];
  readonly project?: readonly string[];
  readonly org?: readonly string[];
}

/** An operator's entry that fixes the mode of one unit. */
export interface Pin {
  readonly unit: Unit;
  readonly id: string;
  readonly mode: Mode;
  /** ISO 8601 instant after which the pin is void. */
  readonly until?: string;
}

/** Where a flag is active, and how far it may go there. */
export interface EnvironmentConfig {
  readonly active: boolean;
  /** Cap of the canary percent, 0 … 100 with three decimals. @defaultValue 100 */
  readonly maxPercent?: number;
  readonly kill?: Kill | null;
}

/** How a unit becomes a bucket. Changing the salt of a live ramp deals everybody a new hand. */
export interface Bucketing {
  readonly algorithm?: "murmur3-32-utf8-1e5";
  /** @defaultValue "session" */
  readonly unit?: Unit;
  /** @defaultValue the flag's key */
  readonly salt?: string;
  /** Legacy always: never a random draw. */
  readonly missingUnit?: "legacy";
}

/** The sample that runs on the new engine aside, unanswered. */
export interface ShadowConfig {
  /** 0 … 100 with three decimals, drawn with a salt of its own. */
  readonly percent: number;
  readonly timeoutMs?: number;
  readonly maxInFlight?: number;
  readonly aaPercent?: number;
  readonly comparator?: string;
}

/** A flag that must decide for `mode` (or further) before this one may. */
export interface Prerequisite {
  readonly flag: string;
  /** @defaultValue "new" */
  readonly mode?: Mode;
}

/** One entry of the `rollouts` map: everything flagd's format has no place for. */
export interface RolloutConfig {
  /** Grows with each change. A version that goes back is an error. */
  readonly version: number;
  readonly owner?: string;
  /** ISO 8601 date at which the flag should be gone. */
  readonly expires?: string;
  readonly kill?: Kill | null;
  /** Absent: active everywhere. Present: an environment that is not listed gets legacy. */
  readonly environments?: Readonly<Record<string, EnvironmentConfig>>;
  /** Cap of the canary percent in every environment. @defaultValue 100 */
  readonly maxPercent?: number;
  readonly deny?: UnitLists;
  readonly pin?: readonly Pin[];
  readonly prerequisites?: readonly Prerequisite[];
  /** Listed units get `mode`. @defaultValue mode "new" */
  readonly allow?: UnitLists & { readonly mode?: Mode };
  readonly bucketing?: Bucketing;
  /** The top slice of buckets, kept on legacy as the control. @defaultValue percent 0 */
  readonly holdBack?: { readonly percent: number };
  readonly canary?: { readonly percent: number };
  readonly shadow?: ShadowConfig;
  /** The guarded rollout's plan; read by the controller, not by evaluation. */
  readonly plan?: Readonly<Record<string, unknown>>;
}

/** The `"*"` entry of the `rollouts` map: kills for all flags at once. */
export interface GlobalRollout {
  readonly kill?: Kill | null;
  readonly environments?: Readonly<Record<string, { readonly kill?: Kill | null }>>;
}

/** A flag as flagd defines it. */
export interface FlagdFlag {
  readonly state: "ENABLED" | "DISABLED";
  readonly variants: Readonly<Record<string, unknown>>;
  readonly defaultVariant?: string | null;
  readonly targeting?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

/** flagd's `flags.json` with the sibling `rollouts` map. */
export interface FlagDocument {
  readonly $schema?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  readonly $evaluators?: Readonly<Record<string, unknown>>;
  readonly flags: Readonly<Record<string, FlagdFlag>>;
  /** By flag key; the entry `"*"` (a {@link GlobalRollout}) stands for all. */
  readonly rollouts?: Readonly<Record<string, RolloutConfig>>;
}

/**
 * What a layer above the document (environment variables, the rollout controller) changes of one flag. It can kill, cap
 * and set percentages;
 * nothing in it can lift a kill or a cap that another layer set.
 */
export interface FlagOverride {
  readonly kill?: Kill;
  /**
   * Replaces the document's canary percent, still capped. Of several layers the smallest counts: an environment's `new`
   * does not outrun a rollout.
   */
  readonly canaryPercent?: number;
  /** Replaces the shadow percent. */
  readonly shadowPercent?: number;
  /** Replaces the hold-back percent. */
  readonly holdBackPercent?: number;
  /** One more cap of the canary percent. */
  readonly maxPercent?: number;
  /** No decision goes further than this, also not by pin, allow list or assignment. This is what a rollback sets. */
  readonly maxMode?: Mode;
  /** Replaces the version shown in decisions, when larger. */
  readonly version?: number;
}
