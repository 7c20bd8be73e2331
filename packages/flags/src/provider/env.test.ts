import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { RolloutConfig } from "../evaluate/types.ts";
import { envProvider } from "./env.ts";
import type { FlagProvider } from "./provider.ts";
import { staticProvider } from "./static.ts";

const setUp = (variables: Record<string, string>, rollout?: Omit<RolloutConfig, "version">, key = "engine-v2") => {
  const warnings: string[] = [];
  const env = envProvider({ variables, logger: { warn: (message) => void warnings.push(message) } });
  const flags = createFlags({
    providers:
      rollout === undefined
        ? [env]
        : [env, staticProvider({ flags: {}, rollouts: { [key]: { version: 1, ...rollout } } })],
  });
  const share = () =>
    Array.from({ length: 2_000 }, (_, index) => flags.decide(key, { session: `s${index}` })).filter(
      ({ mode }) => mode === "new",
    ).length / 20;
  return { flags, warnings, share, decide: () => flags.decide(key, { session: "s1", org: "acme" }) };
};
const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };

describe("the environment's provider", () => {
  it("sets the percent of a flag that a document holds", () => {
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "percent:10" }, { canary: { percent: 100 } }).share()).toBeCloseTo(10, -0.5);
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: " New " }, { canary: { percent: 0 } }).share()).toBe(100);
    expect(
      setUp({ HEBRA_FLAG_ENGINE_V2: "legacy" }, { canary: { percent: 100 }, allow: { org: ["acme"] } }).decide().mode,
    ).toBe("legacy");
  });

  it("caps `new` and `percent` by maxPercent", () => {
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "new" }, { maxPercent: 20 }).share()).toBeLessThan(23);
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "percent:90" }, { maxPercent: 0 }).share()).toBe(0);
  });

  it("does not let `new` outrun a rollout's own layer, and lets a smaller percent hold it", () => {
    const controller: FlagProvider = {
      name: "controller",
      load: () => ({ document: { flags: {} }, overrides: { "engine-v2": { canaryPercent: 10 } } }),
      close: () => Promise.resolve(),
    };
    const source = staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, canary: { percent: 100 } } } });
    const share = (value: string) => {
      const flags = createFlags({
        providers: [envProvider({ variables: { HEBRA_FLAG_ENGINE_V2: value } }), controller, source],
      });
      return (
        Array.from({ length: 2_000 }, (_, index) => flags.decide("engine-v2", { session: `s${index}` })).filter(
          ({ mode }) => mode === "new",
        ).length / 20
      );
    };
    expect(share("new")).toBeCloseTo(10, -0.5);
    expect(share("percent:1")).toBeLessThan(3);
  });

  it("kills over everything: allow list, pin, percent, in whichever layer it stands", () => {
    const everything = {
      canary: { percent: 100 },
      allow: { org: ["acme"] },
      pin: [{ unit: "session", id: "s1", mode: "new" }],
    } as const;
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "KILL" }, everything).decide()).toMatchObject({
      mode: "legacy",
      reason: "KILL_SWITCH",
      ruleId: "kill.flag",
    });
    expect(setUp({ HEBRA_FLAGS: "kill" }, everything).decide()).toMatchObject({
      mode: "legacy",
      ruleId: "kill.global",
    });
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "new" }, { ...everything, kill }).decide()).toMatchObject({
      mode: "legacy",
      ruleId: "kill.flag",
    });
  });

  it("works alone, under the plain spelling of the key, and kills flags that it never heard of", () => {
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "new" }).share()).toBe(100);
    expect(setUp({ HEBRA_FLAG_ENGINE_V2: "kill" }, undefined, "Engine.V2").decide().ruleId).toBe("kill.flag");
    expect(setUp({ HEBRA_FLAGS: "kill" }, undefined, "other").decide().ruleId).toBe("kill.global");
  });

  it("speaks of every key that is spelt alike, and adds none of its own beside it", () => {
    const { flags, decide } = setUp({ HEBRA_FLAG_ENGINE_V2: "new" }, { canary: { percent: 0 } }, "Engine.V2");
    expect(decide().mode).toBe("new");
    expect(flags.keys()).toEqual(["Engine.V2"]);
  });

  it.each(["of", "percent:101", "percent:-1", "percent:1.2345", "percent:", "kil"])(
    "holds the flag at legacy and warns of %j",
    (value) => {
      const { decide, warnings } = setUp(
        { HEBRA_FLAG_ENGINE_V2: value },
        { canary: { percent: 100 }, allow: { org: ["acme"] } },
      );
      expect(decide().mode).toBe("legacy");
      expect(warnings.join()).toContain("HEBRA_FLAG_ENGINE_V2");
    },
  );

  it("does not let a percent count while the source that holds its cap is down, but a kill counts", async () => {
    const down: FlagProvider = {
      name: "down",
      load: () => Promise.reject(new Error("no route to host")),
      close: () => Promise.resolve(),
    };
    for (const [value, ruleId] of [
      ["new", "not-ready"],
      ["kill", "kill.flag"],
    ] as const) {
      const flags = createFlags({
        providers: [envProvider({ variables: { HEBRA_FLAG_ENGINE_V2: value } }), down],
        logger: { warn() {} },
      });
      await expect(flags.ready()).rejects.toMatchObject({ code: "UNREACHABLE" });
      expect(flags.decide("engine-v2", { session: "s1" })).toMatchObject({ mode: "legacy", ruleId });
      expect(flags.status()).toMatchObject({ ready: false, stale: true });
    }
  });
});
