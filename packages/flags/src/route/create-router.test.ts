import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { RolloutConfig } from "../evaluate/types.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "./create-router.ts";
import { memoryAssignments } from "./memory-assignments.ts";
import type { RouterOptions } from "./options.ts";
import type { Exposure, HandoverRequest, Outcome, RouteHandlers } from "./router.ts";

const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };
const FLAG = "engine-v2";
type Rollout = Omit<RolloutConfig, "version">;

/** One session's world: who answered is the answer. */
function setUp(rollout: Rollout, options: Partial<RouterOptions> = {}) {
  const clock = createManualClock();
  const source = staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1, ...rollout } } });
  const flags = createFlags({ provider: source, clock, logger: { warn() {} } });
  const log = {
    exposed: [] as Exposure[],
    finished: [] as Outcome[],
    cuts: 0,
    handovers: [] as HandoverRequest[],
    warnings: [] as string[],
  };
  const router = createRouter({
    flags,
    clock,
    logger: { warn() {} },
    assignments: memoryAssignments(),
    observer: {
      exposed: (exposure) => void log.exposed.push(exposure),
      finished: (outcome) => void log.finished.push(outcome),
      cut: () => void log.cuts++,
      warned: ({ error }) => void log.warnings.push(error.code),
    },
    ...options,
  });
  const handlers: RouteHandlers<string> = {
    legacy: () => "legacy",
    next: () => "new",
    outcome: () => "ok",
    handover: (request) => void log.handovers.push(request),
  };
  let version = 1;
  const move = (next: Rollout) => source.set({ flags: {}, rollouts: { [FLAG]: { version: ++version, ...next } } });
  const turn = (more: Partial<RouteHandlers<string>> = {}, session = "s1") =>
    router.route(FLAG, { session, org: "acme" }, { ...handlers, ...more });
  return { clock, flags, router, log, move, turn, handlers };
}
const without = { handover: undefined } as unknown as Partial<RouteHandlers<string>>;

describe("route", () => {
  it("keeps a session's engine while percentages move either way", async () => {
    const { move, turn } = setUp({ canary: { percent: 100 } });
    expect(await turn()).toBe("new");
    move({ canary: { percent: 0 } });
    expect(await turn()).toBe("new");
    expect(await turn({}, "s2")).toBe("legacy");
    move({ canary: { percent: 100 } });
    expect(await turn({}, "s2")).toBe("legacy");
  });

  it("draws again after the session was idle, and not a millisecond before; a turn counts as life", async () => {
    const { move, turn, clock } = setUp({ canary: { percent: 0 } });
    await turn();
    move({ canary: { percent: 100 } });
    await clock.advance(30 * 60_000 - 1);
    expect(await turn()).toBe("legacy");
    await clock.advance(30 * 60_000 - 1);
    expect(await turn()).toBe("legacy");
    await clock.advance(30 * 60_000);
    expect(await turn()).toBe("new");
  });

  it("gives each tenant's session an engine of its own when two have the same id [SE-13]", async () => {
    const { router, handlers, log } = setUp({ allow: { org: ["acme"] }, canary: { percent: 0 } });
    const turn = (org: string) => router.route(FLAG, { session: "s1", org }, handlers as RouteHandlers<string>);
    expect([await turn("acme"), await turn("globex"), await turn("acme")]).toEqual(["new", "legacy", "new"]);
    expect(log.handovers).toEqual([]);
    expect((await router.assignment(FLAG, "s1", "acme"))?.mode).toBe("new");
    expect((await router.assignment(FLAG, "s1", "globex"))?.mode).toBe("legacy");
  });

  it("draws again after the session was ended", async () => {
    const { move, turn, router } = setUp({ canary: { percent: 0 } });
    await turn();
    move({ canary: { percent: 100 } });
    await router.end(FLAG, "s1", "acme");
    expect(await turn()).toBe("new");
  });

  it("brings an endless chat over at a turn boundary once it is migrated", async () => {
    let migrated = false;
    const { move, turn, log } = setUp({ canary: { percent: 0 } }, { migrated: () => migrated });
    await turn();
    move({ canary: { percent: 100 } });
    expect(await turn()).toBe("legacy");
    migrated = true;
    expect(await turn()).toBe("new");
    expect(log.exposed.map(({ mode }) => mode)).toEqual(["legacy", "new"]);
  });

  it.each<[string, Rollout]>([
    ["kill", { canary: { percent: 100 }, kill }],
    ["deny", { canary: { percent: 100 }, deny: { org: ["acme"] } }],
    ["pin", { canary: { percent: 100 }, pin: [{ unit: "session", id: "s1", mode: "legacy" }] }],
  ])("goes back by %s at the next turn, handing over once before it", async (_, rollout) => {
    const { move, turn, log, clock } = setUp({ canary: { percent: 100 } });
    const since = clock.now();
    await turn();
    await clock.advance(1_000);
    move(rollout);
    const order: string[] = [];
    const recorded = {
      legacy: () => (order.push("legacy"), "legacy"),
      handover: (request: HandoverRequest) => void (order.push("handover"), log.handovers.push(request)),
    };
    expect(await turn(recorded)).toBe("legacy");
    expect(await turn(recorded)).toBe("legacy");
    expect(order).toEqual(["handover", "legacy", "legacy"]);
    expect(log.handovers).toEqual([
      expect.objectContaining({ session: "s1", since, id: `handover:${FLAG}:t:acme:s1:${since}` }),
    ]);
    expect(log.cuts).toBe(1);
  });

  it("hands over again after a second visit to the new engine, under another id", async () => {
    const { move, turn, log, clock } = setUp({ canary: { percent: 100 } }, { migrated: () => true });
    for (let visit = 0; visit < 2; visit++) {
      await turn();
      move({ canary: { percent: 100 }, kill });
      await turn();
      move({ canary: { percent: 100 } });
      await clock.advance(1);
    }
    expect(new Set(log.handovers.map(({ id }) => id)).size).toBe(2);
  });

  it("still hands over when the session went idle in between", async () => {
    const { move, turn, log, clock } = setUp({ canary: { percent: 100 } });
    await turn();
    await clock.advance(24 * 3_600_000);
    move({ canary: { percent: 0 } });
    expect(await turn()).toBe("legacy");
    expect(log.handovers).toHaveLength(1);
  });

  it("fails the turn when the handover fails, and tries again; or goes on, where the host says so", async () => {
    for (const onHandoverFailure of ["fail", "continue"] as const) {
      const { move, turn } = setUp({ canary: { percent: 100 } }, { onHandoverFailure });
      await turn();
      move({ kill });
      let tries = 0;
      const handover = () => {
        if (++tries === 1) throw new Error("store down");
      };
      if (onHandoverFailure === "fail") await expect(turn({ handover })).rejects.toThrow("store down");
      else expect(await turn({ handover })).toBe("legacy");
      expect(await turn({ handover })).toBe("legacy");
      expect(await turn({ handover })).toBe("legacy");
      expect(tries).toBe(2);
    }
  });

  it("refuses the new engine without a way back, unless there is no history or the host gives it up", async () => {
    const { turn, log, router } = setUp({ canary: { percent: 100 } });
    expect(await turn(without)).toBe("legacy");
    expect(log.warnings).toEqual(["HANDOVER_REQUIRED"]);
    expect(await turn({ ...without, withoutHandover: true }, "s2")).toBe("new");
    expect(await router.route(FLAG, {}, { legacy: () => "legacy", next: () => "new", outcome: () => "ok" })).toBe(
      "legacy",
    );
    const known = setUp({ canary: { percent: 100 } }, { hasLegacyHistory: (session) => session === "old" });
    expect(await known.turn(without, "young")).toBe("new");
    expect(await known.turn(without, "old")).toBe("legacy");
  });

  it("counts a drawn unit for its arm, and one that was refused, cut or listed for none", async () => {
    const { turn, log, move } = setUp({ canary: { percent: 100 } });
    await turn(without, "refused");
    await turn({}, "drawn");
    move({ kill });
    await turn({}, "drawn");
    move({ allow: { session: ["listed"] }, canary: { percent: 0 } });
    await turn({}, "listed");
    await turn({}, "control");
    expect(log.finished.map(({ session, arm, mode }) => [session, arm, mode])).toEqual([
      ["refused", undefined, "legacy"],
      ["drawn", "new", "new"],
      ["drawn", undefined, "legacy"],
      ["listed", undefined, "new"],
      ["control", "control", "legacy"],
    ]);
    expect(log.exposed.map(({ session }) => session)).toEqual(["refused", "drawn", "listed", "control"]);
  });

  it("answers from legacy in shadow, without waiting for the shadow or hearing it throw", async () => {
    const { turn } = setUp({ shadow: { percent: 100 } });
    const seen: string[] = [];
    expect(await turn({ shadow: (shadowed, answer) => void seen.push(`${shadowed.mode} ${answer}`) })).toBe("legacy");
    expect(await turn({ shadow: () => new Promise(() => {}) })).toBe("legacy");
    expect(await turn({ shadow: () => Promise.reject(new Error("shadow")) })).toBe("legacy");
    expect(
      await turn({
        shadow: () => {
          throw new Error("shadow");
        },
      }),
    ).toBe("legacy");
    expect(seen).toEqual(["shadow legacy"]);
  });

  it("falls back to legacy only where the call is safe to repeat, and then the session stays there", async () => {
    const { turn, log } = setUp({ canary: { percent: 100 } });
    const next = () => Promise.reject(new HebraError("REACTOR_FAILED", "model down"));
    await expect(turn({ next })).rejects.toThrow("model down");
    expect(await turn({})).toBe("new");
    expect(
      await turn({
        next,
        safeToRepeat: (failure) => HebraError.isInstance(failure),
        legacy: ({ failure }) => `legacy after ${(failure as Error).message}`,
      }),
    ).toBe("legacy after model down");
    expect(log.handovers).toHaveLength(1);
    expect(await turn({})).toBe("legacy");
    expect(log.finished.map(({ status, fellBack, arm }) => [status, fellBack, arm])).toEqual([
      ["failed", false, "new"],
      ["ok", false, "new"],
      ["failed", true, "new"],
      ["ok", false, undefined],
    ]);
  });
});
