import { createHash } from "node:crypto";
import type { Decision, FlagContext, FlagOverride, GlobalRollout, Mode, RolloutConfig, Unit } from "./types.ts";

/**
 * The rules as the design lists them, read off the document at every call: slow, and without anything of the compiler.
 */
export interface World {
  readonly rollouts: Readonly<Record<string, RolloutConfig>>;
  readonly global: GlobalRollout | undefined;
  readonly overrides: readonly Readonly<Record<string, FlagOverride>>[];
  readonly environment: string | undefined;
  readonly breakers: ReadonlySet<string>;
  readonly now: number;
}

type Outcome = Pick<Decision, "mode" | "reason" | "ruleId" | "bucket" | "arm" | "flagVersion" | "errorCode">;
const RANK = ["legacy", "shadow", "new"];
const least = (a: Mode, b: Mode): Mode => (RANK.indexOf(a) < RANK.indexOf(b) ? a : b);

export function referenceDecide(world: World, key: string, context: FlagContext): Outcome {
  const rollout = world.rollouts[key]!;
  const overrides = world.overrides.map((layer) => layer[key]).filter((override) => override !== undefined);
  const version = Math.max(rollout.version, ...overrides.map((override) => override.version ?? 0));
  const maxMode = overrides.reduce<Mode>((mode, override) => least(mode, override.maxMode ?? "new"), "new");
  const say = (
    mode: Mode,
    reason: Decision["reason"],
    ruleId: Decision["ruleId"],
    more: Partial<Outcome> = {},
  ): Outcome => ({
    mode,
    reason,
    ruleId,
    bucket: -1,
    arm: undefined,
    flagVersion: version,
    errorCode: undefined,
    ...more,
  });

  // 2 kill
  const at = <T>(record: Readonly<Record<string, T>> | undefined) =>
    world.environment !== undefined && record !== undefined && Object.hasOwn(record, world.environment)
      ? record[world.environment]
      : undefined;
  const here = at(rollout.environments);
  if (rollout.kill || overrides.some((override) => override.kill)) return say("legacy", "KILL_SWITCH", "kill.flag");
  if (here?.kill || at(world.global?.environments)?.kill) return say("legacy", "KILL_SWITCH", "kill.environment");
  if (world.global?.kill) return say("legacy", "KILL_SWITCH", "kill.global");
  // 1 not valid: needs itself
  if (needsItself(world, key)) return say("legacy", "ERROR", "invalid", { errorCode: "FLAG_INVALID" });
  // 3 breaker, 4 environment
  if (world.breakers.has(key)) return say("legacy", "BREAKER", "breaker");
  if (rollout.environments !== undefined && here?.active !== true) return say("legacy", "STATIC", "environment");
  // 5 deny
  const units: Unit[] = ["session", "project", "org"];
  for (const unit of units)
    if (isIn(rollout.deny?.[unit], context[unit])) return say("legacy", "TARGETING_MATCH", `deny.${unit}`);
  // 6 pin
  for (const unit of units) {
    const pin = rollout.pin?.find(
      (each) =>
        each.unit === unit &&
        each.id === context[unit] &&
        (each.until === undefined || Date.parse(each.until) > world.now),
    );
    if (pin !== undefined) return say(least(pin.mode, maxMode), "TARGETING_MATCH", `pin.${unit}`);
  }
  // 7 prerequisite
  for (const { flag, mode = "new" } of rollout.prerequisites ?? []) {
    if (
      !Object.hasOwn(world.rollouts, flag) ||
      RANK.indexOf(referenceDecide(world, flag, context).mode) < RANK.indexOf(mode)
    )
      return say("legacy", "PREREQUISITE", "prerequisite");
  }
  // 8 allow
  for (const unit of units)
    if (isIn(rollout.allow?.[unit], context[unit]))
      return say(least(rollout.allow?.mode ?? "new", maxMode), "TARGETING_MATCH", `allow.${unit}`);
  // 9-12 lots
  const id = context[rollout.bucketing?.unit ?? "session"];
  if (id === undefined || id === "")
    return say("legacy", "ERROR", "missing-unit", { errorCode: "TARGETING_KEY_MISSING" });
  const salt = rollout.bucketing?.salt ?? key;
  const bucket = bucketOf(`${salt}:${id}`);
  const percents = overrides
    .flatMap(({ canaryPercent }) => (canaryPercent === undefined ? [] : [canaryPercent]))
    .sort((a, b) => a - b);
  const of = (field: "shadowPercent" | "holdBackPercent", fallback: number | undefined) =>
    overrides.find((each) => each[field] !== undefined)?.[field] ?? fallback ?? 0;
  const cap = Math.min(
    rollout.maxPercent ?? 100,
    here?.maxPercent ?? 100,
    ...overrides.map((override) => override.maxPercent ?? 100),
  );
  if (bucket >= 100_000 - Math.round(of("holdBackPercent", rollout.holdBack?.percent) * 1000))
    return say("legacy", "SPLIT", "hold-back", { bucket, arm: "control" });
  const canary = Math.min(cap, percents[0] ?? rollout.canary?.percent ?? 0);
  if (maxMode === "new" && bucket < Math.round(canary * 1000))
    return say("new", "SPLIT", "canary", { bucket, arm: "new" });
  const shadow = of("shadowPercent", rollout.shadow?.percent);
  if (maxMode !== "legacy" && bucketOf(`${salt}/shadow:${id}`) < Math.round(shadow * 1000))
    return say("shadow", "SPLIT", "shadow", { bucket, arm: "control" });
  return say("legacy", "DEFAULT", "default", { bucket, arm: "control" });
}

const isIn = (ids: readonly string[] | undefined, id: string | undefined) =>
  id !== undefined && (ids ?? []).includes(id);

const own = (world: World, key: string) => (Object.hasOwn(world.rollouts, key) ? world.rollouts[key] : undefined);

function needsItself(world: World, key: string): boolean {
  let level = new Set((own(world, key)?.prerequisites ?? []).map(({ flag }) => flag));
  for (let depth = 0; depth <= Object.keys(world.rollouts).length; depth++) {
    if (level.has(key)) return true;
    level = new Set([...level].flatMap((each) => (own(world, each)?.prerequisites ?? []).map(({ flag }) => flag)));
  }
  return false;
}

/** MurmurHash3 x86-32 in big integers, from its description: block by block over a buffer. */
export function bucketOf(text: string): number {
  let bucket = known.get(text);
  if (bucket === undefined) known.set(text, (bucket = slowBucket(text)));
  return bucket;
}

const known = new Map<string, number>();

function slowBucket(text: string): number {
  const M = (1n << 32n) - 1n;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & M;
  const scramble = (k: bigint) => (rotate((k * 0xcc9e2d51n) & M, 15n) * 0x1b873593n) & M;
  const bytes = Buffer.from(text, "utf8");
  let hash = 0n;
  const whole = bytes.length - (bytes.length % 4);
  for (let at = 0; at < whole; at += 4)
    hash = (rotate(hash ^ scramble(BigInt(bytes.readUInt32LE(at))), 13n) * 5n + 0xe6546b64n) & M;
  if (whole < bytes.length) hash ^= scramble(BigInt(bytes.readUIntLE(whole, bytes.length - whole)));
  hash ^= BigInt(bytes.length);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & M;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & M;
  hash ^= hash >> 16n;
  return Number((hash * 100_000n) >> 32n);
}

/** A seeded stream of choices: SHA-256 in counter mode. */
export function createChoices(seed: string) {
  let counter = 0;
  let pool = Buffer.alloc(0);
  let at = 0;
  const byte = () => {
    if (at === pool.length) [pool, at] = [createHash("sha512").update(`${seed}:${counter++}`).digest(), 0];
    return pool[at++]!;
  };
  const below = (limit: number) => ((byte() << 16) | (byte() << 8) | byte()) % limit;
  return {
    below,
    chance: (percent: number) => below(100) < percent,
    one: <T>(items: readonly T[]): T => items[below(items.length)]!,
    some: <T>(items: readonly T[]): T[] => items.filter(() => below(100) < 20),
  };
}
