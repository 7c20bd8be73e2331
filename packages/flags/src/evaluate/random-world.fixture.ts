import type { createChoices, World } from "./reference.fixture.ts";
import type { FlagContext, FlagDocument, FlagOverride, Kill, RolloutConfig, UnitLists } from "./types.ts";

type Choices = ReturnType<typeof createChoices>;
export const NOW = Date.parse("2026-06-01T00:00:00Z");
const KEYS = ["engine-v2", "search", "ünï-flag", "constructor"];
const ENVIRONMENTS = ["production", "staging", "toString"];
const MODES = ["legacy", "shadow", "new"] as const;
const UNITS = ["session", "project", "org"] as const;
const kill: Kill = { at: "2026-05-01T00:00:00Z", by: "ops", reason: "drill" };

/** Ids are few, so that lists hit often; some are beyond ASCII, empty, or names of `Object.prototype`. */
const ids = {
  session: [...Array.from({ length: 40 }, (_, index) => `s${index}`), "sesión-ñ", "会話", "🧵", "__proto__", ""],
  project: ["p1", "p2", "p3", "hasOwnProperty"],
  org: ["acme", "umbrella", "ünion"],
};

export function randomWorld(choices: Choices): {
  world: World;
  document: FlagDocument;
  overrides: Record<string, FlagOverride>[];
} {
  const { chance, one, some, below } = choices;
  const percent = () => one([0, 0.001, 0.5, 1, 5, 10, 33.333, 50, 99.999, 100, below(100_001) / 1000]);
  const lists = (): UnitLists => ({
    ...(chance(50) ? { session: some(ids.session).filter((id) => id !== "") } : {}),
    ...(chance(30) ? { project: some(ids.project) } : {}),
    ...(chance(30) ? { org: some(ids.org) } : {}),
  });
  const rollout = (): RolloutConfig => ({
    version: 1 + below(50),
    ...(chance(6) ? { kill } : chance(10) ? { kill: null } : {}),
    ...(chance(40)
      ? {
          environments: Object.fromEntries(
            some([...ENVIRONMENTS, ...ENVIRONMENTS]).map((name) => [
              name,
              { active: chance(80), ...(chance(40) ? { maxPercent: percent() } : {}), ...(chance(8) ? { kill } : {}) },
            ]),
          ),
        }
      : {}),
    ...(chance(20) ? { maxPercent: percent() } : {}),
    ...(chance(30) ? { deny: lists() } : {}),
    ...(chance(30)
      ? {
          pin: Array.from({ length: below(4) }, () => {
            const unit = one(UNITS);
            return {
              unit,
              id: one(ids[unit]) || "s0",
              mode: one(MODES),
              ...(chance(40)
                ? { until: one(["2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z", "2026-06-01T00:00:01Z"]) }
                : {}),
            };
          }),
        }
      : {}),
    ...(chance(25)
      ? {
          prerequisites: Array.from({ length: 1 + below(2) }, () => ({
            flag: one([...KEYS, "nowhere"]),
            ...(chance(50) ? { mode: one(MODES) } : {}),
          })),
        }
      : {}),
    ...(chance(40) ? { allow: { ...lists(), ...(chance(40) ? { mode: one(MODES) } : {}) } } : {}),
    ...(chance(50)
      ? {
          bucketing: {
            ...(chance(50) ? { unit: one(UNITS) } : {}),
            ...(chance(50) ? { salt: one(["", "x", "salz-ä", "engine-v2"]) } : {}),
          },
        }
      : {}),
    ...(chance(30) ? { holdBack: { percent: percent() } } : {}),
    ...(chance(70) ? { canary: { percent: percent() } } : {}),
    ...(chance(50) ? { shadow: { percent: percent() } } : {}),
  });
  const override = (): FlagOverride => ({
    ...(chance(5) ? { kill } : {}),
    ...(chance(30) ? { canaryPercent: percent() } : {}),
    ...(chance(20) ? { shadowPercent: percent() } : {}),
    ...(chance(20) ? { holdBackPercent: percent() } : {}),
    ...(chance(30) ? { maxPercent: percent() } : {}),
    ...(chance(15) ? { maxMode: one(MODES) } : {}),
    ...(chance(30) ? { version: below(80) } : {}),
  });
  const keys = KEYS.filter(() => chance(70));
  const rollouts = Object.fromEntries((keys.length === 0 ? ["engine-v2"] : keys).map((key) => [key, rollout()]));
  const global = chance(12)
    ? { ...(chance(30) ? { kill } : {}), environments: { [one(ENVIRONMENTS)]: chance(30) ? { kill } : {} } }
    : undefined;
  const overrides = Array.from({ length: below(3) }, () =>
    Object.fromEntries(some([...KEYS, ...KEYS]).map((key) => [key, override()])),
  );
  const document: FlagDocument = {
    flags: {},
    rollouts: { ...rollouts, ...(global === undefined ? {} : { "*": global as unknown as RolloutConfig }) },
  };
  const world: World = {
    rollouts,
    global,
    overrides,
    now: NOW,
    environment: chance(80) ? one(ENVIRONMENTS) : undefined,
    breakers: new Set(some(KEYS).filter(() => chance(20))),
  };
  return { world, document, overrides };
}

export function randomContext({ chance, one }: Choices): FlagContext {
  return {
    ...(chance(90) ? { session: one(ids.session) } : {}),
    ...(chance(70) ? { project: one(ids.project) } : {}),
    ...(chance(70) ? { org: one(ids.org) } : {}),
  };
}
