import { createManualClock, HebraError } from "@hebra/core";
import assert from "node:assert/strict";
import { afterEach, describe, test } from "vitest";
import { createFlags, type Flags } from "../client/create-flags.ts";
import type { FlagContext } from "../evaluate/types.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "../route/create-router.ts";
import type { Router, RouteTurn } from "../route/router.ts";
import { createWorld, bare, FLAG } from "../rollout/rollout-world.fixture.ts";
import { createRolloutController } from "../rollout/controller.ts";
import { createRolloutService } from "../rollout/service.ts";
import type { Incident } from "./incident.ts";
import { memoryIncidents } from "./stores.ts";
import { createIncidentWatch, type IncidentWatchOptions } from "./watch.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
let flags: Flags;
let routers: Router[] = [];
afterEach(async () => {
  for (const router of routers) router.close();
  routers = [];
  await flags.close();
});

/** One process with a router that opens incidents. */
function processOf(options: Partial<IncidentWatchOptions> = {}) {
  const clock = createManualClock(Date.UTC(2026, 10, 30));
  const incidents = memoryIncidents();
  const watch = createIncidentWatch({
    sink: incidents,
    clock,
    retryMs: 0,
    telemetry: { inject: () => ({ traceparent: `00-${TRACE}-b7ad6b7169203331-01` }) },
    ...options,
  });
  const rollouts = { [FLAG]: { version: 3, canary: { percent: 100 } } };
  flags = createFlags({ provider: staticProvider({ flags: {}, rollouts }), clock });
  const router = createRouter({ flags, observer: watch.observer, breaker: false, clock });
  routers.push(router);
  /** One turn of an engine with a turn handle, as `@hebra/thread` has it. */
  const turn = async (context: FlagContext, result: object | Error) => {
    const settled = result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    const handle = { executionId: `e-${context.session}`, contextId: `c-${context.session}`, result: settled };
    const serve = (_: RouteTurn) => handle as { result: Promise<{ status: string }> };
    await router.route(FLAG, context, { legacy: serve, next: serve, withoutHandover: true });
    await settled.catch(() => undefined);
    await clock.advance(1);
  };
  const found = async (kind?: Incident["kind"]) => {
    await watch.flush();
    return incidents.list(kind === undefined ? {} : { kind });
  };
  return { clock, incidents, watch, turn, found };
}

const failed = (message: string, code = "REACTOR_FAILED") => ({
  status: "failed",
  error: new HebraError(code as "REACTOR_FAILED", message),
});

describe("a failed turn", () => {
  test("opens one incident a signature, engine and tenant, with its ids and without secrets", async () => {
    const { turn, found } = processOf();
    const context = { org: "acme", project: "p1", attributes: { apiKey: "sk-live-1234567890abcdef" } };
    for (let at = 0; at < 20; at++) await turn({ ...context, session: `s${at}` }, failed(`order ${at} is gone`));
    await turn({ session: "t1", org: "beta" }, failed("order 9 is gone"));
    await turn({ session: "t2", org: "beta" }, failed("password=hunter2hunter2 is wrong", "ACTION_FAILED"));
    await turn({ session: "t3", org: "beta" }, { status: "completed", usage: {} });
    await turn({ session: "t4", org: "beta" }, { status: "cancelled", usage: {} });
    const incidents = await found("failed-turn");
    assert.deepEqual(incidents.map(({ org, signature }) => [org, signature.code]).sort(), [
      ["acme", "REACTOR_FAILED"],
      ["beta", "ACTION_FAILED"],
      ["beta", "REACTOR_FAILED"],
    ]);
    const [first] = incidents.filter(({ org }) => org === "acme");
    const { session, project, executionId, contextId, traceId, flag, mode, flagVersion } = first!;
    assert.deepEqual(
      { session, project, executionId, contextId, traceId, flag, mode, flagVersion },
      {
        session: "s0",
        project: "p1",
        executionId: "e-s0",
        contextId: "c-s0",
        traceId: TRACE,
        flag: FLAG,
        mode: "new",
        flagVersion: 3,
      },
    );
    assert.match(first!.signature.fingerprint, /^[0-9a-f]{64}$/);
    assert.doesNotMatch(JSON.stringify(incidents), /hunter2|sk-live/);
  });

  test("opens another one when it comes back in the next hour", async () => {
    const { turn, found, clock } = processOf();
    await turn({ session: "s1" }, failed("down"));
    await clock.advance(3_600_000);
    await turn({ session: "s2" }, failed("down"));
    assert.equal((await found()).length, 2);
  });

  test("is one incident when two processes with one sink meet it", async () => {
    const shared = memoryIncidents();
    const [a, b] = [processOf({ sink: shared }), processOf({ sink: shared })];
    await a.turn({ session: "s1", org: "acme" }, failed("down"));
    await b.turn({ session: "s2", org: "acme" }, failed("down"));
    await Promise.all([a.watch.flush(), b.watch.flush()]);
    assert.equal((await shared.list()).length, 1);
  });
});

test("an action without any success opens an incident, one that succeeds in between does not", async () => {
  const { turn, found } = processOf({ operations: { ingest: 3 } });
  const calls = (name: string, ...ok: boolean[]) => ({
    status: "completed",
    usage: {},
    parts: ok.map((one) => ({ kind: "action", name, status: one ? "completed" : "failed" })),
  });
  await turn({ session: "s1", org: "acme" }, calls("ingest", false, false));
  await turn({ session: "s2", org: "acme" }, calls("search", false, false, false, false, false));
  assert.deepEqual(await found(), []);
  await turn({ session: "s3", org: "acme" }, calls("ingest", true, false, false));
  assert.deepEqual(await found(), []);
  await turn({ session: "s4", org: "acme" }, calls("ingest", false));
  const [incident, ...others] = await found("critical-operation");
  assert.deepEqual(others, []);
  assert.deepEqual([incident?.executionId, incident?.org], ["e-s4", "acme"]);
  assert.equal((incident?.context as { action: string }).action, "ingest");
});

test("sustained growth of errors that no rule knows opens an incident, a constant rate does not", async () => {
  for (const [grows, expected] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const { turn, found, clock } = processOf({ windowMs: 60_000 });
    for (let window = 0; window < 9; window++) {
      for (let at = 0; at < 20; at++) {
        const bad = at < (grows ? window : 2);
        await turn(
          { session: `s${window}-${at}` },
          bad ? { status: "failed", error: "odd" } : { status: "completed", usage: {} },
        );
      }
      await clock.advance(60_000 - 20);
    }
    assert.equal((await found("unknown-growth")).length, expected);
    await flags.close();
  }
});

describe("a rollback", () => {
  /** A rollout in its first canary step, whose incidents go to `sink`. */
  async function canary(sink = memoryIncidents()) {
    const world = createWorld();
    flags = createFlags({ provider: staticProvider({ flags: {} }) });
    const { store, clock, errors } = world;
    const onError = (error: unknown) => void errors.push(error);
    const service = createRolloutService({ store, clock, incidents: sink, onError, engines: { new: "2.0.0" } });
    const controller = createRolloutController({ service, clock, onError });
    await world.start(bare);
    for (const reason of ["beta is over", "shadow is clean"]) {
      await service.act(FLAG, { event: "advance", by: "ana", reason });
      await world.traffic(2, 200);
    }
    return { world, sink, service, controller };
  }

  test("opens an incident with the guard, the draft of its postmortem and the turn that failed", async () => {
    const { world, sink, controller } = await canary();
    await sink.write([
      {
        id: "f1",
        kind: "failed-turn",
        at: new Date(world.clock.now()).toISOString(),
        flag: FLAG,
        mode: "new",
        org: "acme",
        session: "s1",
        executionId: "e1",
        contextId: "c1",
        traceId: TRACE,
        signature: (await import("@hebra/core")).errorSignature(new Error("no price"), { component: FLAG }),
        decision: { action: "page", matched: true, reason: "known" },
        versions: {},
        context: {},
        runbook: null,
      },
    ]);
    await world.traffic(4, 400, { new: { failing: 0.3 } });
    const [result] = await controller.tick();
    assert.equal(result?.action, "rolled-back");
    const [rollback, ...others] = await sink.list({ kind: "rollback" });
    assert.deepEqual(others, []);
    const { id, org, executionId, contextId, traceId, flagVersion, decision, versions } = rollback!;
    assert.deepEqual([id, org, executionId, contextId, traceId], [`${FLAG}-4`, "acme", "e1", "c1", TRACE]);
    assert.equal(flagVersion, (await world.store.read(FLAG))?.version);
    assert.match(rollback!.signature.code, /^GUARD_(ERRORS|ERROR_CEILING|CRITICAL)$/);
    assert.equal(decision.action, "rollback");
    assert.deepEqual(versions, { new: "2.0.0" });
    assert.match(rollback!.postmortem ?? "", /# Postmortem engine-v2-4[\s\S]*## Timeline[\s\S]*no price/);
    assert.ok((await sink.list({ kind: "guard" })).length > 0);
    const before = await sink.list({ limit: 1_000 });
    await controller.tick();
    assert.deepEqual(await sink.list({ limit: 1_000 }), before);
  });

  test("holds while the sink is away, and opens its incident at the next look", async () => {
    const stored = memoryIncidents();
    let away = true;
    const sink = {
      ...stored,
      write: (all: readonly Incident[]) => (away ? Promise.reject(new Error("away")) : stored.write(all)),
    };
    const { world, service, controller } = await canary(sink);
    const state = await service.act(FLAG, { event: "rollback", by: "ana", reason: "wrong prices" });
    assert.equal(state.phase.name, "rolledBack");
    assert.match(String(world.errors.at(-1)), /away/);
    assert.deepEqual(await stored.list(), []);
    away = false;
    await controller.tick();
    const [incident] = await stored.list();
    assert.equal(incident?.kind, "rollback");
    assert.match(incident?.postmortem ?? "", /wrong prices/);
  });

  test("does not wait for a sink that never answers", async () => {
    const sink = { ...memoryIncidents(), write: () => new Promise<never>(() => {}) };
    const { world, service } = await canary(sink);
    const acted = service.act(FLAG, { event: "rollback", by: "ana", reason: "wrong prices" });
    let phase: string | undefined;
    void acted.then((state) => (phase = state.phase.name));
    for (let at = 0; at < 20 && phase === undefined; at++) await world.clock.advance(1_000);
    assert.equal(phase, "rolledBack");
  });
});
