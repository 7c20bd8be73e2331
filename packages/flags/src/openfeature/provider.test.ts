import { InMemoryProvider, OpenFeature, ServerProviderEvents } from "@openfeature/server-sdk";
import { afterEach, describe, expect, test } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { FlagDocument, RolloutConfig } from "../evaluate/types.ts";
import { envProvider } from "../provider/env.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "../route/create-router.ts";
import { decideWithTarget } from "../route/remote-target.ts";
import { fromOpenFeature } from "./from-open-feature.ts";
import { openFeatureProvider } from "./provider.ts";

const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };
const document = (
  version: number,
  rollout: Omit<RolloutConfig, "version">,
  flags: FlagDocument["flags"] = {},
): FlagDocument => ({ flags, rollouts: { "engine-v2": { version, ...rollout } } });
afterEach(() => OpenFeature.clearProviders());

describe("openFeatureProvider", () => {
  test("shows a rollout as a boolean and as a string, with what decided as metadata", async () => {
    const flags = createFlags({
      provider: staticProvider(document(7, { allow: { org: ["acme"] }, canary: { percent: 100 } })),
    });
    await OpenFeature.setProviderAndWait("view", openFeatureProvider({ flags }));
    const client = OpenFeature.getClient("view");
    expect(await client.getBooleanDetails("engine-v2", false, { targetingKey: "s1" })).toMatchObject({
      value: true,
      variant: "new",
      reason: "SPLIT",
      flagMetadata: { flagVersion: 7, ruleId: "canary", arm: "new", bucket: expect.any(Number) as number },
    });
    expect(await client.getStringValue("engine-v2", "legacy", { session: "s1", org: "acme" })).toBe("new");
    expect(await client.getNumberDetails("engine-v2", 3)).toMatchObject({ value: 3, errorCode: "TYPE_MISMATCH" });
  });

  test("gives legacy over the caller's default when killed, and without a unit", async () => {
    const source = staticProvider(document(1, { canary: { percent: 100 } }));
    const flags = createFlags({ provider: source });
    await OpenFeature.setProviderAndWait("kill", openFeatureProvider({ flags }));
    const client = OpenFeature.getClient("kill");
    expect(await client.getBooleanDetails("engine-v2", true, {})).toMatchObject({
      value: false,
      variant: "legacy",
      flagMetadata: { errorCode: "TARGETING_KEY_MISSING" },
    });
    source.set(document(2, { canary: { percent: 100 }, kill }));
    expect(await client.getBooleanDetails("engine-v2", true, { targetingKey: "s1" })).toMatchObject({
      value: false,
      reason: "KILL_SWITCH",
    });
    expect(await client.getStringValue("engine-v2", "new", { targetingKey: "s1" })).toBe("legacy");
  });

  test("tells changes, staleness and recovery, each once, and nothing after close", async () => {
    const source = staticProvider(document(1, {}));
    const flags = createFlags({ provider: source });
    await OpenFeature.setProviderAndWait("events", openFeatureProvider({ flags }));
    const client = OpenFeature.getClient("events");
    const heard: unknown[] = [];
    client.addHandler(ServerProviderEvents.ConfigurationChanged, (details) => void heard.push(details?.flagsChanged));
    source.set(document(2, {}));
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([["engine-v2"]]);
    await OpenFeature.clearProviders();
    source.set(document(3, {}));
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toHaveLength(1);
  });

  test("keeps results of plain flags until the flags change, not those that look at the clock", async () => {
    const variants = { a: "a", b: "b" };
    const plain = (defaultVariant: string): FlagDocument => ({
      flags: {
        colour: { state: "ENABLED", variants, defaultVariant },
        timed: {
          state: "ENABLED",
          variants,
          defaultVariant,
          targeting: { if: [{ ">": [{ var: "$flagd.timestamp" }, 0] }, "a", "b"] },
        },
      },
    });
    const source = staticProvider(plain("a"));
    await OpenFeature.setProviderAndWait(
      "cache",
      openFeatureProvider({ flags: createFlags({ provider: source }), cacheSize: 1 }),
    );
    const client = OpenFeature.getClient("cache");
    const reason = async (key: string, context = {}) => (await client.getStringDetails(key, "", context)).reason;
    expect([
      await reason("colour"),
      await reason("colour"),
      await reason("colour", { x: 1 }),
      await reason("colour"),
    ]).toEqual(["STATIC", "CACHED", "STATIC", "STATIC"]);
    expect([await reason("timed"), await reason("timed")]).toEqual(["TARGETING_MATCH", "TARGETING_MATCH"]);
    source.set(plain("b"));
    expect(await client.getStringValue("colour", "")).toBe("b");
  });

  test("passes on what is tracked", async () => {
    const tracked: unknown[] = [];
    await OpenFeature.setProviderAndWait(
      "track",
      openFeatureProvider({
        flags: createFlags({ provider: staticProvider({ flags: {} }) }),
        onTrack: (...args) => void tracked.push(args),
      }),
    );
    OpenFeature.getClient("track").track("turn-failed", { targetingKey: "s1" }, { value: 1 });
    expect(tracked).toEqual([["turn-failed", { targetingKey: "s1" }, { value: 1 }]]);
  });
});

describe("fromOpenFeature", () => {
  async function remote(flags: ConstructorParameters<typeof InMemoryProvider>[0]) {
    await OpenFeature.setProviderAndWait("remote", new InMemoryProvider(flags));
    return fromOpenFeature(OpenFeature.getClient("remote"));
  }
  const bySession = (mode: (session: unknown) => string) => ({
    variants: { legacy: "legacy", shadow: "shadow", new: "new" },
    defaultVariant: "legacy",
    disabled: false,
    contextEvaluator: (context: Record<string, unknown>) => mode(context["session"]),
  });

  test("takes modes and booleans from anybody's provider, and rejects with its error", async () => {
    const target = await remote({
      mode: bySession((session) => (session === "s1" ? "new" : "shadow")),
      switch: { variants: { on: true, off: false }, defaultVariant: "on", disabled: false },
      colour: { variants: { red: "red" }, defaultVariant: "red", disabled: false },
    });
    expect([
      await target("mode", { session: "s1" }),
      await target("mode", { session: "s2" }),
      await target("switch", {}),
      await target("switch", {}),
    ]).toEqual(["new", "shadow", "new", "new"]);
    await expect(target("colour", {})).rejects.toMatchObject({ code: "TYPE_MISMATCH" });
    await expect(target("nobody", {})).rejects.toMatchObject({ code: "FLAG_NOT_FOUND" });
  });

  test("is capped by the local state: kill, deny, percent, breaker; and by nothing where no document here holds the flag", async () => {
    const target = await remote({ "engine-v2": bySession(() => "new"), calm: bySession(() => "shadow") });
    const decide = (rollout: Omit<RolloutConfig, "version"> | undefined, variables = {}, key = "engine-v2") => {
      const source = staticProvider(
        rollout === undefined ? { flags: {} } : { flags: {}, rollouts: { [key]: { version: 1, ...rollout } } },
      );
      return decideWithTarget(createFlags({ providers: [envProvider({ variables }), source] }), target, key, {
        session: "s1",
        org: "acme",
      });
    };
    expect((await decide({ canary: { percent: 100 } })).mode).toBe("new");
    expect(await decide({ canary: { percent: 0 } })).toMatchObject({ mode: "legacy", ruleId: "default" });
    expect(await decide({ canary: { percent: 100 }, deny: { org: ["acme"] } })).toMatchObject({
      mode: "legacy",
      ruleId: "deny.org",
    });
    expect(await decide({ canary: { percent: 100 } }, { HEBRA_FLAGS: "kill" })).toMatchObject({
      mode: "legacy",
      reason: "KILL_SWITCH",
    });
    expect(await decide({ canary: { percent: 100 } }, {}, "calm")).toMatchObject({
      mode: "shadow",
      ruleId: "targeting",
    });
    expect(await decide(undefined)).toMatchObject({ mode: "new", ruleId: "targeting", errorCode: undefined });
    expect(await decide(undefined, { HEBRA_FLAG_ENGINE_V2: "kill" })).toMatchObject({
      mode: "legacy",
      ruleId: "kill.flag",
    });
    const flags = createFlags({ provider: staticProvider({ flags: {} }) });
    flags.setBreaker("engine-v2", true);
    expect(await decideWithTarget(flags, target, "engine-v2", { session: "s1" })).toMatchObject({
      mode: "legacy",
      reason: "BREAKER",
    });
  });

  test("routes by it: sessions stay while it cannot be asked, and go back when it takes them back", async () => {
    let answer: () => string = () => "new";
    const target = await remote({ "engine-v2": bySession(() => answer()) });
    const flags = createFlags({ provider: staticProvider({ flags: {} }) });
    const handovers: string[] = [];
    const router = createRouter({ flags, target, breaker: false });
    const turn = (session: string) =>
      router.route(
        "engine-v2",
        { session },
        {
          legacy: () => "legacy",
          next: () => "new",
          outcome: () => "ok",
          handover: ({ session: each }) => void handovers.push(each),
        },
      );
    expect(await turn("s1")).toBe("new");
    answer = () => {
      throw new Error("remote down");
    };
    expect([await turn("s1"), await turn("s2")]).toEqual(["new", "legacy"]);
    answer = () => "legacy";
    expect(await turn("s1")).toBe("legacy");
    expect(handovers).toEqual(["s1"]);
  });
});
