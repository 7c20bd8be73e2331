import { FlagdCore } from "@openfeature/flagd-core";
import { describe, expect, it } from "vitest";
import { exportFlagd } from "../evaluate/export-flagd.ts";
import { createChoices } from "../evaluate/reference.fixture.ts";
import { randomContext, randomWorld } from "../evaluate/random-world.fixture.ts";
import type { FlagDocument, RolloutConfig } from "../evaluate/types.ts";
import { staticProvider } from "../provider/static.ts";
import { createFlags } from "./create-flags.ts";
import { flagdContext } from "./targets.ts";

const variants = { legacy: "legacy", shadow: "shadow", new: "new" };
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const targeting = {
  if: [{ "==": [{ var: "plan" }, "gold"] }, "new", { "==": [{ var: "org" }, "acme"] }, "shadow", "legacy"],
};

/** What flagd's own evaluator makes of a document. */
function flagd(document: FlagDocument) {
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(JSON.stringify(document));
  return core;
}

describe("flags of flagd's format", () => {
  it("are decided by hand-written targeting through flagd's evaluator; the rollout's kill, deny and cap still hold", async () => {
    const decide = async (rollout?: Omit<RolloutConfig, "version">, context = {}) => {
      const flags = createFlags({
        provider: staticProvider({
          flags: { f: { state: "ENABLED", variants, defaultVariant: "legacy", targeting } },
          ...(rollout === undefined ? {} : { rollouts: { f: { version: 1, ...rollout } } }),
        }),
      });
      expect(flags.decide("f", { session: "s1" })).toMatchObject({ mode: "legacy", errorCode: "PROVIDER_NOT_READY" });
      await flags.ready();
      return flags.decide("f", { session: "s1", attributes: { plan: "gold" }, ...context });
    };
    expect((await decide()).mode).toBe("new");
    expect((await decide(undefined, { attributes: {}, org: "acme" })).mode).toBe("shadow");
    expect((await decide(undefined, { attributes: {} })).mode).toBe("legacy");
    expect((await decide({ maxPercent: 0 })).mode).toBe("legacy");
    expect((await decide({ deny: { session: ["s1"] } })).ruleId).toBe("deny.session");
    expect((await decide({ kill: { at: "2026-01-01T00:00:00Z", by: "a", reason: "b" } })).ruleId).toBe("kill.flag");
    expect((await decide(undefined, { session: undefined })).errorCode).toBe("TARGETING_KEY_MISSING");
  });

  it("without targeting give their default variant; booleans count; anything else is an error, and a disabled flag is legacy", () => {
    const mode = (flag: object) =>
      createFlags({
        provider: staticProvider({ flags: { f: { state: "ENABLED", variants, ...flag } as never } }),
      }).decide("f", { session: "s" });
    expect(mode({ defaultVariant: "new" }).mode).toBe("new");
    expect(mode({ variants: { on: true, off: false }, defaultVariant: "on" }).mode).toBe("new");
    expect(mode({ variants: { a: 1 }, defaultVariant: "a" })).toMatchObject({
      mode: "legacy",
      errorCode: "TYPE_MISMATCH",
    });
    expect(mode({ state: "DISABLED", defaultVariant: "new" })).toMatchObject({ mode: "legacy", reason: "DISABLED" });
  });

  it("get an error, not an exception, when the targeting's answer is no mode", async () => {
    const flags = createFlags({
      provider: staticProvider({
        flags: {
          f: { state: "ENABLED", variants: { a: "something" }, defaultVariant: "a", targeting: { if: [true, "a"] } },
        },
      }),
    });
    await flags.ready();
    expect(flags.decide("f", { session: "s" })).toMatchObject({
      mode: "legacy",
      reason: "ERROR",
      errorCode: "GENERAL",
    });
  });
});

describe("the file, read by flagd's own evaluator", () => {
  it("agrees on 20,000 ASCII ids; the difference off ASCII is printed", () => {
    const source: FlagDocument = {
      flags: {},
      rollouts: {
        "engine-v2": { version: 1, canary: { percent: 12.5 }, holdBack: { percent: 5 }, shadow: { percent: 20 } },
      },
    };
    const core = flagd(exportFlagd(source));
    const flags = createFlags({ provider: staticProvider(source) });
    const agree = (ids: readonly string[]) =>
      ids.filter(
        (session) =>
          core.resolveStringEvaluation("engine-v2", "none", flagdContext({ session }), silent).value ===
          flags.decide("engine-v2", { session }).mode,
      ).length;
    const ascii = Array.from({ length: 20_000 }, (_, index) => `session-${index.toString(36)}`);
    expect(agree(ascii)).toBe(20_000);
    const beyond = Array.from({ length: 20_000 }, (_, index) => `sesión-${index.toString(36)}`);
    const same = agree(beyond);
    console.info(
      `flagd-core agrees on 20000 of 20000 ASCII ids and on ${same} of 20000 beyond ASCII: its hash runs over code units, ours over UTF-8 bytes.`,
    );
    expect(same).toBeLessThan(20_000);
  });

  it("agrees on random rollouts, where flagd has words for them", () => {
    const choices = createChoices("export-1");
    let compared = 0;
    for (let round = 0; round < 500; round++) {
      const { document, world } = randomWorld(choices);
      const rollouts = Object.fromEntries(
        Object.entries(world.rollouts).map(([key, rollout]) => {
          const { prerequisites: _, pin, ...rest } = rollout;
          return [
            key,
            { ...rest, ...(pin === undefined ? {} : { pin: pin.filter(({ until }) => until === undefined) }) },
          ];
        }),
      );
      const all = document.rollouts?.["*"];
      const source: FlagDocument = {
        ...document,
        rollouts: { ...rollouts, ...(all === undefined ? {} : { "*": all }) },
      };
      const environment = world.environment === undefined ? {} : { environment: world.environment };
      const core = flagd(exportFlagd(source, environment));
      const flags = createFlags({ provider: staticProvider(source), ...environment });
      for (const key of Object.keys(rollouts)) {
        for (let each = 0; each < 4; each++) {
          const context = randomContext(choices);
          const unit = rollouts[key]?.bucketing?.unit ?? "session";
          const drawn = `${rollouts[key]?.bucketing?.salt ?? key}:${context[unit] ?? ""}`;
          if (/[^\x20-\x7e]/.test(drawn)) continue;
          compared++;
          expect(
            core.resolveStringEvaluation(key, "none", flagdContext(context), silent).value,
            JSON.stringify({ rollout: rollouts[key], context }),
          ).toBe(flags.decide(key, context).mode);
        }
      }
    }
    expect(compared).toBeGreaterThan(2_000);
  }, 60_000);

  it("reads back what it exported as the rollout, not as hand-written targeting", () => {
    const source: FlagDocument = { flags: {}, rollouts: { f: { version: 3, canary: { percent: 100 } } } };
    const flags = createFlags({ provider: staticProvider(exportFlagd(source)) });
    expect(flags.decide("f", { session: "s" })).toMatchObject({ mode: "new", ruleId: "canary", flagVersion: 3 });
  });
});
