import { createManualClock } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { FlagProvider } from "../provider/provider.ts";
import { staticProvider } from "../provider/static.ts";
import { randomContext, randomWorld, NOW } from "./random-world.fixture.ts";
import { createChoices, referenceDecide } from "./reference.fixture.ts";
import type { Decision, FlagContext, RolloutConfig } from "./types.ts";

const quiet = { warn() {} };
const layer = (overrides: Record<string, object>): FlagProvider => ({
  name: "layer",
  load: () => ({ document: { flags: {} }, overrides }),
  close: () => Promise.resolve(),
});
const one = (rollout: Omit<RolloutConfig, "version">, environment?: string) => {
  const flags = createFlags({
    provider: staticProvider({ flags: {}, rollouts: { f: { version: 3, ...rollout } } }),
    ...(environment === undefined ? {} : { environment }),
    clock: createManualClock(NOW),
    logger: quiet,
  });
  return (context: FlagContext): Decision => flags.decide("f", context);
};

describe("compiled evaluation", () => {
  it("equals the slow reference on 100,000 random flags and contexts", () => {
    const choices = createChoices("evaluation-1");
    const seen = new Map<string, number>();
    for (let count = 0; count < 100_000;) {
      const { world, document, overrides } = randomWorld(choices);
      const flags = createFlags({
        providers: [...overrides.map(layer), staticProvider(document)],
        ...(world.environment === undefined ? {} : { environment: world.environment }),
        clock: createManualClock(NOW),
        logger: quiet,
      });
      for (const key of world.breakers) flags.setBreaker(key, true);
      for (const key of Object.keys(world.rollouts)) {
        for (let each = 0; each < 8; each++, count++) {
          const context = randomContext(choices);
          const decision = flags.decide(key, context);
          const expected = referenceDecide(world, key, context);
          if (JSON.stringify(decision) !== JSON.stringify(expected))
            expect({ ...decision, key, context, world }).toEqual({ ...expected, key, context, world });
          seen.set(decision.ruleId, (seen.get(decision.ruleId) ?? 0) + 1);
        }
      }
    }
    // The generator must reach every rule, often.
    for (const rule of [
      "kill.flag",
      "kill.environment",
      "kill.global",
      "invalid",
      "breaker",
      "environment",
      "deny.session",
      "deny.project",
      "deny.org",
      "pin.session",
      "pin.project",
      "pin.org",
      "prerequisite",
      "allow.session",
      "allow.project",
      "allow.org",
      "missing-unit",
      "hold-back",
      "canary",
      "shadow",
      "default",
    ])
      expect(seen.get(rule) ?? 0, rule).toBeGreaterThan(100);
  }, 120_000);

  it("is pure in flag and context, and a kill beats everything, wherever it stands", () => {
    const choices = createChoices("kill-1");
    const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };
    for (let round = 0; round < 300; round++) {
      const { world, document, overrides } = randomWorld(choices);
      const environment = world.environment ?? "production";
      const keys = Object.keys(world.rollouts);
      const withRollouts = (change: (rollout: RolloutConfig) => RolloutConfig) => ({
        ...document,
        rollouts: {
          ...document.rollouts,
          ...Object.fromEntries(keys.map((key) => [key, change(world.rollouts[key]!)])),
        },
      });
      const everybody = { flags: {}, rollouts: { ...document.rollouts, "*": { kill } as unknown as RolloutConfig } };
      const killedHere = withRollouts((rollout) => ({
        ...rollout,
        environments: { ...rollout.environments, [environment]: { active: true, kill } },
      }));
      const open = (...providers: FlagProvider[]) =>
        createFlags({ providers, environment, clock: createManualClock(NOW), logger: quiet });
      const others = overrides.map(layer);
      const plain = open(...others, staticProvider(document));
      const killed = [
        open(...others, staticProvider(withRollouts((rollout) => ({ ...rollout, kill })))),
        open(...others, staticProvider(killedHere)),
        open(...others, staticProvider(everybody)),
        open(layer(Object.fromEntries(keys.map((key) => [key, { kill }]))), ...others, staticProvider(document)),
        open(...others, staticProvider(document), layer(Object.fromEntries(keys.map((key) => [key, { kill }])))),
        open(
          { name: "all", load: () => ({ document: { flags: {} }, killAll: kill }), close: () => Promise.resolve() },
          ...others,
          staticProvider(document),
        ),
      ];
      for (const key of keys) {
        const context = randomContext(choices);
        const before = JSON.stringify(context);
        expect(plain.decide(key, context)).toEqual(plain.decide(key, { ...context }));
        expect(JSON.stringify(context)).toBe(before);
        for (const flags of killed) {
          expect(flags.decide(key, context)).toMatchObject({
            mode: "legacy",
            reason: "KILL_SWITCH",
            errorCode: undefined,
          });
          expect(flags.decide(key, context, { mode: "new", arm: "new" }).mode).toBe("legacy");
        }
      }
    }
  }, 60_000);

  it("is monotone: nobody leaves the new arm while the percent grows, and the shares are right", () => {
    const sessions = Array.from({ length: 20_000 }, (_, index) => `session-${index}`);
    let before = new Set<string>();
    for (const percent of [0, 0.1, 1, 10, 25, 50, 95, 100]) {
      const decide = one({ canary: { percent } });
      const now = new Set(sessions.filter((session) => decide({ session }).mode === "new"));
      for (const session of before) expect(now.has(session)).toBe(true);
      expect(Math.abs(now.size / 200 - percent)).toBeLessThan(1);
      before = now;
    }
    expect(before.size).toBe(20_000);
  });

  it("keeps the hold-back on legacy at 100 percent, as the control", () => {
    const decide = one({ canary: { percent: 100 }, holdBack: { percent: 5 } });
    const held = Array.from({ length: 20_000 }, (_, index) => decide({ session: `s${index}` })).filter(
      ({ mode }) => mode === "legacy",
    );
    expect(held.length / 20_000).toBeCloseTo(0.05, 2);
    expect(
      held.every(({ arm, ruleId, bucket }) => arm === "control" && ruleId === "hold-back" && bucket >= 95_000),
    ).toBe(true);
  });

  it("draws the shadow sample independently of the canary", () => {
    const decide = one({ shadow: { percent: 20 } });
    const buckets = Array.from({ length: 20_000 }, (_, index) => decide({ session: `s${index}` }))
      .filter(({ mode }) => mode === "shadow")
      .map(({ bucket }) => bucket);
    expect(buckets.length / 20_000).toBeCloseTo(0.2, 1);
    expect(buckets.reduce((sum, bucket) => sum + bucket, 0) / buckets.length).toBeGreaterThan(48_000);
    expect(buckets.reduce((sum, bucket) => sum + bucket, 0) / buckets.length).toBeLessThan(52_000);
  });

  it("gives legacy for a missing unit, also at 100 percent", () => {
    const decide = one({ canary: { percent: 100 } });
    for (const context of [{}, { org: "acme" }, { session: "" }]) {
      expect(decide(context)).toMatchObject({
        mode: "legacy",
        reason: "ERROR",
        errorCode: "TARGETING_KEY_MISSING",
        bucket: -1,
      });
    }
  });

  it("never throws, whatever it is asked", () => {
    const decide = one({ canary: { percent: 100 }, allow: { org: ["a"] } }) as (context: unknown) => Decision;
    for (const context of [
      undefined,
      null,
      3,
      "x",
      { session: 42 },
      { session: {} },
      {
        get session() {
          throw new Error("trap");
        },
      },
    ]) {
      expect(decide(context).mode).toBe("legacy");
      expect(decide(context).reason).toBe("ERROR");
    }
  });

  it("says so of a flag that nobody knows", () => {
    const flags = createFlags({ provider: staticProvider({ flags: {} }) });
    expect(flags.decide("nobody", { session: "s" })).toMatchObject({
      mode: "legacy",
      reason: "ERROR",
      errorCode: "FLAG_NOT_FOUND",
    });
    expect(flags.decide("__proto__", { session: "s" })).toMatchObject({ mode: "legacy", errorCode: "FLAG_NOT_FOUND" });
  });

  it("keeps an assigned session on the new engine through a smaller percent, and lets it go by kill, deny, pin and maxMode alone", () => {
    const assigned = { mode: "new", arm: "new" } as const;
    const decide = (rollout: Omit<RolloutConfig, "version">, overrides: Record<string, object> = {}) =>
      createFlags({
        providers: [layer(overrides), staticProvider({ flags: {}, rollouts: { f: { version: 1, ...rollout } } })],
      }).decide("f", { session: "s1", org: "acme" }, assigned);
    expect(decide({ canary: { percent: 0 } })).toMatchObject({ mode: "new", reason: "ASSIGNED", arm: "new" });
    expect(decide({ allow: { org: ["acme"], mode: "legacy" } })).toMatchObject({ mode: "new", reason: "ASSIGNED" });
    expect(decide({ kill: { at: "2026-01-01T00:00:00Z", by: "a", reason: "b" } }).ruleId).toBe("kill.flag");
    expect(decide({ deny: { org: ["acme"] } })).toMatchObject({ mode: "legacy", ruleId: "deny.org" });
    expect(decide({ pin: [{ unit: "session", id: "s1", mode: "legacy" }] })).toMatchObject({
      mode: "legacy",
      ruleId: "pin.session",
    });
    expect(decide({ canary: { percent: 100 } }, { f: { maxMode: "shadow" } })).toMatchObject({
      mode: "shadow",
      ruleId: "assigned",
    });
  });

  it("ends a pin at its time, without a clock in the decision", async () => {
    const clock = createManualClock(NOW);
    const flags = createFlags({
      provider: staticProvider({
        flags: {},
        rollouts: {
          f: {
            version: 1,
            pin: [{ unit: "session", id: "s1", mode: "new", until: new Date(NOW + 60_000).toISOString() }],
          },
        },
      }),
      clock,
    });
    expect(flags.decide("f", { session: "s1" }).mode).toBe("new");
    await clock.advance(59_999);
    expect(flags.decide("f", { session: "s1" }).mode).toBe("new");
    await clock.advance(1);
    expect(flags.decide("f", { session: "s1" })).toMatchObject({ mode: "legacy", ruleId: "default" });
    await flags.close();
    expect(clock.pending()).toBe(0);
  });
});
