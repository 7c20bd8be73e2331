import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "../route/create-router.ts";
import type { Outcome } from "../route/router.ts";
import { createCollector } from "./collector.ts";
import { gather } from "./gather.ts";
import { countOver, histogramMean, histogramTotal } from "./histogram.ts";
import { defaultGuardLimits } from "./guards/types.ts";
import { rolloutPlan } from "./plan.ts";
import { rolloutProvider } from "./provider.ts";
import { createRolloutService } from "./service.ts";
import { memoryRolloutStore } from "./store/memory.ts";

const BLOCK = 300_000;

function turn(session: string, more: Partial<Outcome> = {}): Outcome {
  const decision = {
    mode: "new",
    reason: "SPLIT",
    ruleId: "canary",
    bucket: 1,
    arm: "new",
    flagVersion: 1,
    errorCode: undefined,
  } as const;
  return {
    flag: "f",
    session,
    context: { session },
    mode: "new",
    decision,
    arm: "new",
    flagVersion: 1,
    startedAt: 0,
    status: "ok",
    unit: session,
    error: undefined,
    latencyMs: 100,
    at: 0,
    fellBack: false,
    ...more,
  };
}

function setup() {
  const clock = createManualClock(0);
  const store = memoryRolloutStore();
  const make = (source: string) =>
    createCollector({ store, clock, source, flushMs: 0, errorClasses: ["STATE_INVALID"] });
  const seen = async () =>
    gather(await store.counters("f", 0), {
      frozen: {},
      latencyCeilingMs: defaultGuardLimits.latencyCeilingMs,
      from: 0,
      now: clock.now(),
    });
  return { clock, store, make, seen };
}

describe("the collector", () => {
  it("counts a session once, however often it fails and in however many processes", async () => {
    const { make, seen } = setup();
    const [a, b] = [make("a"), make("b")];
    a.observer.exposed(turn("s1"));
    for (let retry = 0; retry < 6; retry++)
      a.observer.finished(turn("s1", { status: "failed", error: new Error("boom") }));
    b.observer.finished(turn("s1", { status: "failed", error: new Error("boom") }));
    a.observer.exposed(turn("s2"));
    a.observer.finished(turn("s2"));
    await Promise.all([a.flush(), b.flush()]);
    expect((await seen()).new).toMatchObject({ assigned: 2, exposed: 2, failed: 1 });
    expect((await seen()).blocks[0]!.new).toMatchObject({ sampled: 2, failed: 1 });
  });

  it("books a late failure where its session started", async () => {
    const { clock, make, seen } = setup();
    const collector = make("a");
    collector.observer.exposed(turn("s1"));
    collector.observer.finished(turn("s1"));
    await collector.flush();
    await clock.advance(2 * BLOCK);
    collector.observer.finished(turn("s1", { status: "failed", at: clock.now() }));
    await collector.flush();
    const { blocks } = await seen();
    expect(blocks[0]).toMatchObject({ start: 0, new: { assigned: 1, failed: 1 } });
  });

  it("ignores sessions of no arm, and samples one turn a session", async () => {
    const { make, seen } = setup();
    const collector = make("a");
    collector.observer.exposed(turn("listed", { arm: undefined }));
    collector.observer.exposed(turn("s1"));
    for (const latencyMs of [100, 5_000, 9_000]) collector.observer.finished(turn("s1", { latencyMs }));
    collector.record("f", "s1", {
      cost: 5,
      steps: 3,
      unknown: true,
      actionFailed: true,
      operation: { name: "ingest", ok: false },
    });
    collector.record("f", "s1", { cost: 500, unknown: true });
    collector.record("f", "stranger", { unknown: true });
    collector.observer.finished(turn("s1", { status: "failed", error: new HebraError("STATE_INVALID", "broken") }));
    collector.verified("f", true);
    collector.verified("f", false);
    await collector.flush();
    const found = await seen();
    expect(found.new).toMatchObject({ assigned: 1, unknown: 1, actionFailed: 1, failed: 1 });
    expect(found.new.durations.map(([, count]) => count)).toEqual([1]);
    expect(found.new.costs).toHaveLength(1);
    expect(found.persistence).toEqual({ checked: 2, missing: 1 });
    expect(found.blocks[0]).toMatchObject({
      operations: { ingest: { attempts: 1, successes: 0 } },
      errorClasses: { STATE_INVALID: 1 },
    });
  });

  it("does not count a cost or a latency that is no number, and tells of it once [FL-12]", async () => {
    const { clock, store, seen } = setup();
    const errors: unknown[] = [];
    const collector = createCollector({ store, clock, flushMs: 0, onError: (error) => void errors.push(error) });
    collector.observer.exposed(turn("s1"));
    for (const cost of [NaN, NaN, -1, 3]) collector.observer.finished(turn("s1", { cost, latencyMs: NaN }));
    collector.record("f", "s1", { steps: Infinity });
    await collector.flush();
    expect(errors.map((error) => [HebraError.isInstance(error) && error.code, (error as Error).message])).toEqual([
      ["MEASURE_INVALID", expect.stringContaining("cost of a turn is NaN")],
      ["MEASURE_INVALID", expect.stringContaining("latency of a turn is NaN")],
      ["MEASURE_INVALID", expect.stringContaining("steps of a turn is Infinity")],
    ]);
    const found = (await seen()).new;
    expect([found.durations, found.steps, found.costs.length]).toEqual([[], [], 1]);
  });

  it("counts a unit whose every turn was stopped or is unknown as no data [FL-6] [FL-12]", async () => {
    const { make, seen } = setup();
    const collector = make("a");
    for (const [session, status] of [
      ["s1", "stopped"],
      ["s2", "unknown"],
      ["s3", "ok"],
    ] as const) {
      collector.observer.exposed(turn(session));
      collector.observer.finished(turn(session, { status }));
    }
    await collector.flush();
    expect((await seen()).new).toMatchObject({ assigned: 3, exposed: 3, judged: 1, failed: 0 });
  });

  it("takes cost and steps over all turns of a session, and every turn may be the one that is timed [FL-5]", async () => {
    const { make, seen } = setup();
    const collector = make("a");
    for (let session = 0; session < 200; session++) {
      const told = turn(`s${session}`);
      collector.observer.exposed(told);
      for (let at = 0; at < 5; at++) {
        const late = at > 0;
        collector.observer.finished({
          ...told,
          at: session * 10 + at,
          latencyMs: late ? 3_000 : 1_000,
          cost: late ? 6 : 2,
          steps: late ? 9 : 4,
        });
      }
    }
    await collector.flush();
    const { durations, costs, steps } = (await seen()).new;
    expect(histogramTotal(durations)).toBe(200);
    expect(countOver(durations, 2_000)).toBeGreaterThan(140);
    expect(countOver(durations, 2_000)).toBeLessThan(180);
    expect(histogramMean(costs)! / 1e6).toBeCloseTo(5.2, 0);
    expect(histogramMean(steps)).toBeCloseTo(8, 0);
  });

  it("counts by the flag's bucketing unit: many sessions of one organisation are one unit, also over blocks and processes [FL-13]", async () => {
    const { clock, make, seen } = setup();
    const [a, b] = [make("a"), make("b")];
    for (let at = 0; at < 40; at++) {
      const told = turn(`s${at}`, { unit: `org${at % 4}`, startedAt: clock.now(), at: clock.now() });
      const collector = at % 3 === 0 ? a : b;
      collector.observer.exposed(told);
      collector.observer.finished(at % 4 === 1 ? { ...told, status: "failed", error: new Error("boom") } : told);
      await clock.advance(60_000);
    }
    await Promise.all([a.flush(), b.flush()]);
    const { new: fresh, blocks } = await seen();
    expect(fresh).toMatchObject({ assigned: 4, exposed: 4, judged: 4, failed: 1 });
    expect(blocks[0]!.new).toMatchObject({ assigned: 4, failed: 1 });
  });

  it("loses nothing and doubles nothing when reports fail", async () => {
    const { clock, store, seen } = setup();
    const errors: unknown[] = [];
    let away = true;
    const collector = createCollector({
      clock,
      source: "a",
      flushMs: 1_000,
      onError: (error) => void errors.push(error),
      store: { report: (rows) => (away ? Promise.reject(new Error("away")) : store.report(rows)) },
    });
    collector.observer.exposed(turn("s1"));
    await clock.advance(2_500);
    expect(errors).toHaveLength(2);
    away = false;
    collector.observer.finished(turn("s1", { status: "failed" }));
    await clock.advance(1_000);
    expect((await seen()).new).toMatchObject({ assigned: 1, failed: 1 });
    await collector.close();
    expect(clock.pending()).toBe(0);
  });
});

describe("flags, router, collector and rollout together", () => {
  it("serve, count and roll back by one store", async () => {
    const clock = createManualClock(Date.UTC(2026, 0, 5));
    const store = memoryRolloutStore();
    const service = createRolloutService({ store, clock });
    const act = (command: object) => service.act("engine", { by: "ana", reason: "test", ...command } as never);
    await act({
      event: "start",
      plan: rolloutPlan({ owner: "t", shadow: { evidence: [], leastMs: 0, minCompared: 0 }, steps: [{ percent: 50 }] }),
    });
    const flags = createFlags({
      providers: [
        rolloutProvider({ store, clock }),
        staticProvider({ flags: {}, rollouts: { engine: { version: 1, allow: { org: ["beta"] } } } }),
      ],
      clock,
    });
    await flags.ready();
    const stop = flags.subscribe(() => {});
    const collector = createCollector({ store, clock, flushMs: 0 });
    const router = createRouter({ flags, observer: collector.observer, clock, breaker: false });
    const settle = () => clock.advance(10);
    expect(flags.decide("engine", { session: "x", org: "beta" }).mode).toBe("new");
    expect(flags.decide("engine", { session: "x" }).mode).toBe("legacy");
    await act({ event: "advance" });
    await act({ event: "advance" });
    await clock.advance(BLOCK);
    const served: Record<string, number> = { legacy: 0, next: 0 };
    for (let at = 0; at < 200; at++) {
      await router
        .route(
          "engine",
          { session: `s${at}` },
          {
            legacy: () => void served["legacy"]!++,
            next: () => {
              served["next"]!++;
              if (at % 3 === 0) throw new Error("the new engine fails");
            },
            withoutHandover: true,
            outcome: () => "ok",
          },
        )
        .catch(() => {});
    }
    expect(served["next"]).toBeGreaterThan(70);
    await collector.flush();
    const { report, gathered } = await service.status("engine");
    expect(gathered.new.assigned).toBe(served["next"]);
    expect(report).toMatchObject({ action: "rollback" });
    await act({ event: "rollback", reason: report.reason });
    await settle();
    expect(flags.decide("engine", { session: "x", org: "beta" }, { mode: "new", arm: undefined }).mode).toBe("legacy");
    stop();
    router.close();
    await collector.close();
    await flags.close();
    expect(clock.pending()).toBe(0);
  });
});
