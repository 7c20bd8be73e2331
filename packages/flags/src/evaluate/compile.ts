import type { ErrorCode } from "@hebra/core";
import { effectiveRollout, idSet, lesserMode, reaches, type EffectiveRollout, type Layers } from "./effective.ts";
import { bucketAfter, BUCKETS, hashPrefix } from "./murmur.ts";
import type { Arm, Assigned, Decision, FlagContext, Mode, Pin, Reason, RuleId, Unit, UnitLists } from "./types.ts";

/** What changes in a process without a new document. */
export interface LocalState {
  /** The router's own brake: while open, the flag is legacy here. */
  breakerOpen: boolean;
}

/** One flag, ready to decide. */
export interface CompiledFlag {
  readonly key: string;
  readonly version: number;
  readonly unit: Unit;
  /** The earliest instant at which a pin ends, in milliseconds since the epoch: compile again then. */
  readonly expiresAt: number | undefined;
  /** The answer, where it is the same for everybody whatever happens in this process: a kill. */
  readonly constant?: Decision;
  /**
   * Pure in the context until the flag is compiled again or the breaker moves. May throw on contexts that are not what
   * their type says.
   */
  readonly evaluate: (context: FlagContext, assigned?: Assigned) => Decision;
}

/** What {@link compileFlag} needs. */
export interface CompileInput extends Layers {
  readonly local: LocalState;
  /** Milliseconds since the epoch: pins that ended before are left out. */
  readonly now: number;
  /** Finds a prerequisite; called lazily, so that flags compile in any order. */
  readonly resolve: (key: string) => CompiledFlag | undefined;
  /** flagd's `DISABLED`: as if there were no flag. */
  readonly disabled: boolean;
  /**
   * Why no decision but legacy can be had: a bad document, a missing peer, a circle of prerequisites. A kill still says
   * it is one.
   */
  readonly defect?: { readonly ruleId: RuleId; readonly code: ErrorCode };
  /** The answer of a rule language or of a foreign provider; the rollout caps it. */
  readonly target?: (context: FlagContext) => Mode;
}

/** A decision that is the same for everybody, made once. */
export function fixedDecision(
  mode: Mode,
  reason: Reason,
  ruleId: RuleId,
  flagVersion: number,
  errorCode?: ErrorCode,
): Decision {
  return Object.freeze({ mode, reason, ruleId, bucket: -1, arm: undefined, flagVersion, errorCode });
}

/**
 * Turns one flag into a closure. Everything that can be decided without the caller is decided here; a killed flag is a
 * closure that returns one
 * frozen object. Rule order: kill, breaker, disabled, environment, deny, pin, prerequisite, allow, hold-back, canary,
 * shadow, default.
 */
export function compileFlag(input: CompileInput): CompiledFlag {
  const effective = effectiveRollout(input);
  const { version, killedBy, unit } = effective;
  const shape = { key: input.key, version, unit };
  if (killedBy !== undefined) {
    const killed = fixedDecision("legacy", "KILL_SWITCH", killedBy, version);
    return { ...shape, expiresAt: undefined, constant: killed, evaluate: () => killed };
  }
  const broken = fixedDecision("legacy", "BREAKER", "breaker", version);
  if (input.defect !== undefined) {
    const failed = fixedDecision("legacy", "ERROR", input.defect.ruleId, version, input.defect.code);
    // A flag that only a remote system knows has a breaker all the same.
    const local = input.defect.ruleId === "not-found" ? input.local : undefined;
    return { ...shape, expiresAt: undefined, evaluate: () => (local?.breakerOpen === true ? broken : failed) };
  }
  const { local } = input;
  if (input.disabled || !effective.active) {
    const inactive = input.disabled
      ? fixedDecision("legacy", "DISABLED", "disabled", version)
      : fixedDecision("legacy", "STATIC", "environment", version);
    return { ...shape, expiresAt: undefined, evaluate: () => (local.breakerOpen ? broken : inactive) };
  }
  const pins = livePins(input.rollout?.pin ?? [], input.now);
  const lists = compileLists(input, effective, pins);
  const split = compileSplit(effective, input.target);
  return {
    ...shape,
    expiresAt: pins.reduce<number | undefined>(
      (least, { until }) => (until === undefined ? least : Math.min(least ?? Infinity, Date.parse(until))),
      undefined,
    ),
    evaluate(context, assigned) {
      if (local.breakerOpen) return broken;
      return (
        (lists === undefined ? undefined : lists(context, assigned)) ??
        (assigned === undefined ? split(context) : keep(assigned, effective))
      );
    },
  };
}

function livePins(pins: readonly Pin[], now: number): Pin[] {
  return pins.filter(({ until }) => until === undefined || Date.parse(until) > now);
}

/** A session that has its engine keeps it through every change of percentages and allow lists. */
function keep(assigned: Assigned, { maxMode, version }: EffectiveRollout): Decision {
  const mode = lesserMode(assigned.mode, maxMode);
  return {
    mode,
    reason: "ASSIGNED",
    ruleId: "assigned",
    bucket: -1,
    arm: assigned.arm,
    flagVersion: version,
    errorCode: undefined,
  };
}

type PartialRule = (context: FlagContext, assigned?: Assigned) => Decision | undefined;

/** Deny, pin, prerequisite, allow: the rules that name somebody. */
function compileLists(input: CompileInput, effective: EffectiveRollout, pins: readonly Pin[]): PartialRule | undefined {
  const { version, maxMode, allowMode } = effective;
  const { rollout } = input;
  const deny = memberRule(rollout?.deny, (unit) => fixedDecision("legacy", "TARGETING_MATCH", `deny.${unit}`, version));
  const pinned = pinRule(pins, maxMode, version);
  const needed = prerequisiteRule(input, version);
  const listed = memberRule(rollout?.allow, (unit) =>
    fixedDecision(allowMode, "TARGETING_MATCH", `allow.${unit}`, version),
  );
  const allow: PartialRule | undefined =
    listed === undefined ? undefined : (context, assigned) => (assigned === undefined ? listed(context) : undefined);
  const rules = [deny, pinned, needed, allow].filter((rule) => rule !== undefined);
  const [first, second] = rules;
  if (first === undefined) return undefined;
  if (second === undefined) return first;
  if (rules.length === 2) return (context, assigned) => first(context, assigned) ?? second(context, assigned);
  return (context) => {
    for (let index = 0; index < rules.length; index++) {
      const decision = rules[index]!(context);
      if (decision !== undefined) return decision;
    }
    return undefined;
  };
}

function memberRule(lists: UnitLists | undefined, decide: (unit: Unit) => Decision): PartialRule | undefined {
  const sessions = idSet(lists, "session");
  const projects = idSet(lists, "project");
  const orgs = idSet(lists, "org");
  if (sessions === undefined && projects === undefined && orgs === undefined) return undefined;
  const [bySession, byProject, byOrg] = [decide("session"), decide("project"), decide("org")];
  return (context) => {
    if (sessions !== undefined && context.session !== undefined && sessions.has(context.session)) return bySession;
    if (projects !== undefined && context.project !== undefined && projects.has(context.project)) return byProject;
    if (orgs !== undefined && context.org !== undefined && orgs.has(context.org)) return byOrg;
    return undefined;
  };
}

/** The most specific unit wins; of two pins for the same unit the first. */
function pinRule(pins: readonly Pin[], maxMode: Mode, version: number): PartialRule | undefined {
  if (pins.length === 0) return undefined;
  const tables = (["session", "project", "org"] as const).map((unit) => {
    const table = new Map<string, Decision>();
    for (const pin of pins) {
      if (pin.unit !== unit || table.has(pin.id)) continue;
      table.set(pin.id, fixedDecision(lesserMode(pin.mode, maxMode), "TARGETING_MATCH", `pin.${unit}`, version));
    }
    return table;
  });
  const [sessions, projects, orgs] = tables as [Map<string, Decision>, Map<string, Decision>, Map<string, Decision>];
  return ({ session, project, org }) =>
    (session === undefined ? undefined : sessions.get(session)) ??
    (project === undefined ? undefined : projects.get(project)) ??
    (org === undefined ? undefined : orgs.get(org));
}

function prerequisiteRule(input: CompileInput, version: number): PartialRule | undefined {
  const prerequisites = input.rollout?.prerequisites ?? [];
  if (prerequisites.length === 0) return undefined;
  const unmet = fixedDecision("legacy", "PREREQUISITE", "prerequisite", version);
  return (context, assigned) => {
    for (const { flag, mode = "new" } of prerequisites) {
      const needed = input.resolve(flag);
      // Of an assigned session only a kill, deny or rollback of the other flag matters.
      if (needed === undefined || !reaches(needed.evaluate(context, assigned).mode, mode)) return unmet;
    }
    return undefined;
  };
}

/** Hold-back, canary, shadow, default: the rules that draw lots. The only ones that allocate: one object a decision. */
function compileSplit(
  effective: EffectiveRollout,
  target: ((context: FlagContext) => Mode) | undefined,
): (context: FlagContext) => Decision {
  const { version, unit, canaryBelow, holdBackFrom, shadowBelow } = effective;
  const prefix = hashPrefix(`${effective.salt}:`);
  // A salt of its own: who is shadowed says nothing about who is next in the canary.
  const shadowPrefix = hashPrefix(`${effective.salt}/shadow:`);
  const missing = fixedDecision("legacy", "ERROR", "missing-unit", version, "TARGETING_KEY_MISSING");
  const make = (mode: Mode, reason: Reason, ruleId: RuleId, bucket: number, arm: Arm): Decision => ({
    mode,
    reason,
    ruleId,
    bucket,
    arm,
    flagVersion: version,
    errorCode: undefined,
  });
  const draw = (id: string): Decision => {
    const bucket = bucketAfter(prefix, id);
    if (bucket >= holdBackFrom) return make("legacy", "SPLIT", "hold-back", bucket, "control");
    if (bucket < canaryBelow) return make("new", "SPLIT", "canary", bucket, "new");
    if (shadowBelow > 0 && (shadowBelow === BUCKETS || bucketAfter(shadowPrefix, id) < shadowBelow))
      return make("shadow", "SPLIT", "shadow", bucket, "control");
    return make("legacy", "DEFAULT", "default", bucket, "control");
  };
  const base: (context: FlagContext) => Decision =
    unit === "session"
      ? ({ session }) => (typeof session !== "string" || session === "" ? missing : draw(session))
      : (context) => {
          const id = context[unit];
          return typeof id !== "string" || id === "" ? missing : draw(id);
        };
  if (target === undefined) return base;
  return (context) => {
    const drawn = base(context);
    if (drawn.mode === "legacy") return drawn;
    const wanted = target(context);
    if (reaches(wanted, drawn.mode)) return drawn;
    return {
      mode: wanted,
      reason: "TARGETING_MATCH",
      ruleId: "targeting",
      bucket: drawn.bucket,
      arm: undefined,
      flagVersion: version,
      errorCode: undefined,
    };
  };
}
