import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import type { FlagDocument, RolloutConfig } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent, ProviderSnapshot } from "../provider/provider.ts";
import { staticProvider } from "../provider/static.ts";
import { createFlags } from "./create-flags.ts";
import type { FlagsEvent } from "./flags-status.ts";

const document = (version: number, rollout: Omit<RolloutConfig, "version"> = {}): FlagDocument => ({
  flags: {},
  rollouts: { f: { version, ...rollout } },
});
const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };

/** A provider that says what the test tells it to. */
function scripted(load: () => ProviderSnapshot | Promise<ProviderSnapshot>) {
  let listener: ((event: ProviderEvent) => void) | undefined;
  const provider: FlagProvider = {
    name: "scripted",
    load,
    watch(it) {
      listener = it;
      return () => void (listener = undefined);
    },
    close: () => Promise.resolve(),
  };
  return { provider, say: (event: ProviderEvent) => listener?.(event), watched: () => listener !== undefined };
}
const lost = new HebraError("UNREACHABLE", "gone");
const mode = (flags: ReturnType<typeof createFlags>) => flags.decide("f", { session: "s" });

describe("createFlags", () => {
  it("is ready at once with providers that have their data at hand", () => {
    expect(mode(createFlags({ provider: staticProvider(document(1, { canary: { percent: 100 } })) })).mode).toBe("new");
  });

  it("is legacy, and says why, until every provider has loaded", async () => {
    let give!: (snapshot: ProviderSnapshot) => void;
    const { provider } = scripted(() => new Promise((resolve) => (give = resolve)));
    const flags = createFlags({ providers: [provider, staticProvider(document(1, { canary: { percent: 100 } }))] });
    expect(mode(flags)).toMatchObject({ mode: "legacy", reason: "ERROR", errorCode: "PROVIDER_NOT_READY" });
    give({ document: { flags: {} } });
    await flags.ready();
    expect(mode(flags).mode).toBe("new");
  });

  it("does not let a slow first load overtake a newer event", async () => {
    let give!: (snapshot: ProviderSnapshot) => void;
    const { provider, say } = scripted(() => new Promise((resolve) => (give = resolve)));
    const flags = createFlags({ provider });
    say({ type: "snapshot-loaded", snapshot: { document: document(5, { canary: { percent: 100 } }) } });
    give({ document: document(5, { canary: { percent: 0 } }) });
    await flags.ready();
    expect(mode(flags).mode).toBe("new");
  });

  it("takes the stronger layer's entry whole, and a kill from any layer", () => {
    const layers = (a: Omit<RolloutConfig, "version">, b: Omit<RolloutConfig, "version">) =>
      createFlags({ providers: [staticProvider(document(3, a)), staticProvider(document(9, b))] });
    expect(mode(layers({ canary: { percent: 0 } }, { canary: { percent: 100 } }))).toMatchObject({
      mode: "legacy",
      flagVersion: 3,
    });
    expect(mode(layers({ canary: { percent: 100 } }, { canary: { percent: 100 }, kill })).ruleId).toBe("kill.flag");
  });

  it("refuses a version that goes back, but not a kill in it", () => {
    const source = staticProvider(document(5, { canary: { percent: 100 } }));
    const rejected: FlagsEvent[] = [];
    const flags = createFlags({ provider: source, logger: { warn() {} } });
    flags.subscribe((event) => void (event.type === "flags-rejected" && rejected.push(event)));
    source.set(document(4, { canary: { percent: 0 } }));
    expect(mode(flags)).toMatchObject({ mode: "new", flagVersion: 5 });
    expect(rejected).toHaveLength(1);
    source.set(document(4, { kill }));
    expect(mode(flags).ruleId).toBe("kill.flag");
  });

  it("keeps the last known good while a source is gone, shows it as stale, and drops to legacy past maxStaleMs", async () => {
    const clock = createManualClock();
    const { provider, say } = scripted(() => ({ document: document(1, { canary: { percent: 100 } }) }));
    const events: string[] = [];
    const flags = createFlags({ provider, clock, maxStaleMs: 60_000, logger: { warn() {} } });
    flags.subscribe(({ type }) => void events.push(type));
    say({ type: "source-lost", error: lost });
    expect(flags.status()).toMatchObject({
      ready: true,
      stale: true,
      providers: [{ name: "scripted", staleSince: clock.now(), error: lost }],
    });
    await clock.advance(59_999);
    expect(mode(flags).mode).toBe("new");
    await clock.advance(1);
    expect(mode(flags)).toMatchObject({ mode: "legacy", ruleId: "stale" });
    say({ type: "source-recovered" });
    expect(mode(flags).mode).toBe("new");
    expect(flags.status().stale).toBe(false);
    expect(events).toEqual(["provider-staled", "flags-changed", "provider-recovered", "flags-changed"]);
  });

  it("serves the last known good for ever without maxStaleMs", async () => {
    const clock = createManualClock();
    const { provider, say } = scripted(() => ({ document: document(1, { canary: { percent: 100 } }) }));
    const flags = createFlags({ provider, clock });
    say({ type: "source-lost", error: lost });
    await clock.advance(365 * 86_400_000);
    expect(mode(flags).mode).toBe("new");
  });

  it("serves those that need a flag in a circle from legacy", () => {
    const rollouts = (needs: Record<string, string[]>) =>
      Object.fromEntries(
        Object.entries(needs).map(([key, flags]) => [
          key,
          { version: 1, canary: { percent: 100 }, prerequisites: flags.map((flag) => ({ flag })) },
        ]),
      );
    const flags = createFlags({
      provider: staticProvider({ flags: {}, rollouts: rollouts({ a: ["b"], b: ["a"], c: ["a"], d: [] }) }),
    });
    const of = (key: string) => flags.decide(key, { session: "s" });
    expect([of("a").errorCode, of("b").errorCode, of("c").ruleId, of("d").mode]).toEqual([
      "FLAG_INVALID",
      "FLAG_INVALID",
      "prerequisite",
      "new",
    ]);
  });

  it("outlives listeners that throw, and after close neither listens nor keeps a timer, but still decides", async () => {
    const clock = createManualClock();
    const { provider, say, watched } = scripted(() => ({ document: document(1, { canary: { percent: 100 } }) }));
    const flags = createFlags({ provider, clock, maxStaleMs: 1_000, logger: { warn() {} } });
    flags.subscribe(() => {
      throw new Error("listener");
    });
    say({ type: "source-lost", error: lost });
    expect(clock.pending()).toBe(1);
    await flags.close();
    expect([clock.pending(), watched(), mode(flags).mode]).toEqual([0, false, "new"]);
  });

  it("remembers no more than so many keys that nobody knows", () => {
    const flags = createFlags({ provider: staticProvider({ flags: {} }) });
    for (let count = 0; count < 5_000; count++)
      expect(flags.decide(`made-up-${count}`, {}).errorCode).toBe("FLAG_NOT_FOUND");
    expect(flags.keys()).toEqual([]);
  });

  it("checks its options", () => {
    expect(() => createFlags({} as never)).toThrow(/`provider` or `providers`/);
    expect(() => createFlags({ provider: staticProvider({ flags: {} }), enviroment: "x" } as never)).toThrow(
      /did you mean `environment`/,
    );
    expect(() => createFlags({ provider: {} as never })).toThrow(/not a flag provider/);
  });
});

it("tells of a flag that was changed under the same version, and puts it in force [FL-21]", async () => {
  const source = staticProvider(document(3, { canary: { percent: 0 } }));
  const warnings: string[] = [];
  const flags = createFlags({ provider: source, logger: { warn: (message) => void warnings.push(message) } });
  const told: FlagsEvent[] = [];
  flags.subscribe((event) => void (event.type === "flags-rejected" && told.push(event)));
  source.set(document(3, { canary: { percent: 0 } }));
  expect(told).toEqual([]);
  source.set(document(3, { canary: { percent: 100 } }));
  expect(flags.decide("f", { session: "s" }).mode).toBe("new");
  expect(told).toHaveLength(1);
  expect(warnings).toEqual([expect.stringContaining("changed under the same version 3")]);
  await flags.close();
});
