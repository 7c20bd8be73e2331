import { errorSignature } from "@hebra/core";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../route/router.ts";
import { createCollector } from "./collector.ts";
import { powerOf } from "./power.ts";
import { bare, createWorld, FLAG } from "./rollout-world.fixture.ts";
import { defaultGuardLimits } from "./guards/types.ts";

describe("a rollout's status", () => {
  it("is broken down by tenant and error signature over all processes, the worst first", async () => {
    const world = createWorld();
    await world.start(bare);
    for (const reason of ["to shadow", "to the canary"])
      await world.service.act(FLAG, { event: "advance", by: "ana", reason });
    const { clock } = world;
    const startedAt = clock.now() + 300_000;
    await clock.advance(300_000);
    const processes = ["a", "b"].map((source) => createCollector({ store: world.store, source, clock, flushMs: 0 }));
    const turn = (at: number, org: string, arm: "new" | "control", message?: string) => {
      const signature =
        message === undefined ? undefined : errorSignature({ code: "TIMEOUT", message }, { component: FLAG });
      const outcome = {
        flag: FLAG,
        session: `s${at}`,
        unit: `s${at}`,
        context: { org, session: `s${at}` },
        mode: arm === "new" ? "new" : "legacy",
        arm,
        startedAt,
        at: startedAt,
        latencyMs: 10,
        status: message === undefined ? "ok" : "failed",
        ...(signature === undefined ? {} : { signature }),
      } as unknown as Outcome;
      processes[at % 2]!.observer.finished(outcome);
    };
    for (let at = 0; at < 40; at++) turn(at, "acme", at % 2 === 0 ? "new" : "control");
    for (let at = 40; at < 50; at++) turn(at, "beta", "new", at < 48 ? "no price" : "no stock");
    turn(50, "beta", "control", "no stock");
    for (const one of processes) await one.flush();
    const { breakdown } = await world.service.status(FLAG);
    expect(breakdown.tenants).toEqual([
      { org: "beta", new: { turns: 10, failed: 10 }, legacy: { turns: 1, failed: 1 } },
      { org: "acme", new: { turns: 20, failed: 0 }, legacy: { turns: 20, failed: 0 } },
    ]);
    expect(breakdown.signatures.map(({ code, message, new: fresh, legacy }) => [code, message, fresh, legacy])).toEqual(
      [
        ["TIMEOUT", "no price", 8, 0],
        ["TIMEOUT", "no stock", 2, 1],
      ],
    );
    for (const one of processes) await one.close();
  });
});

describe("power", () => {
  const hour = { observedMs: 3_600_000, windowMs: 24 * 3_600_000, restarts: 5, limits: defaultGuardLimits };
  const arms = (perHour: number, share: number, base: number) => ({
    new: { judged: perHour * share, failed: 0 },
    legacy: { judged: perHour * (1 - share), failed: perHour * (1 - share) * base },
  });

  it("is near what a simulation of the guard finds: ten times a base of 1 % at a share of 10 % in about 100 sessions", () => {
    const { found } = powerOf({ ...hour, ...arms(1_000, 0.1, 0.01) })!;
    const ten = found.find(({ ratio }) => ratio === 10)!;
    expect(ten.units).toBeGreaterThan(50);
    expect(ten.units).toBeLessThan(200);
    expect(found.map(({ hours }) => hours)).toEqual([...found.map(({ hours }) => hours)].sort((a, b) => b - a));
  });

  it("grows with traffic, and says when a window is too short for anything", () => {
    const smallest = (perHour: number) => powerOf({ ...hour, ...arms(perHour, 0.1, 0.01) })!.smallest;
    expect(smallest(5_000)!).toBeLessThan(smallest(500)!);
    expect(powerOf({ ...hour, windowMs: 0, ...arms(20, 0.1, 0.001) })!.smallest).toBeUndefined();
    expect(powerOf({ ...hour, ...arms(0, 0.1, 0) })).toBeUndefined();
  });
});
