import { createManualClock } from "@hebra/core";
import { lookup } from "node:dns/promises";
import { mkdtemp, rm, appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createWorld, bare, FLAG } from "../rollout/rollout-world.fixture.ts";
import type { IncidentWindow } from "./aggregate.ts";
import { createDecisionTable } from "./decision-table.ts";
import { createFaultSwitch, FAULT_VARIABLE } from "./fault-switch.ts";
import type { Incident } from "./incident.ts";
import { postmortemDocument } from "./postmortem.ts";
import { createIncidentRecorder } from "./recorder.ts";
import { fileIncidentSpool } from "./spool.ts";
import { fileIncidents, memoryIncidents } from "./stores.ts";
import { criticalTrigger, errorRateTrigger, unknownGrowthTrigger, wilsonLower } from "./triggers.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "incident-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const table = createDecisionTable([
  {
    id: "dns",
    when: { code: ["ENOTFOUND", "EAI_AGAIN"] },
    action: "retry",
    reason: "A name could not be resolved.",
    runbook: "runbooks/dns.md",
  },
  { id: "fault", when: { code: "TEST_FAULT" }, action: "ignore", reason: "Somebody tests." },
  { id: "http", when: { code: "HTTP_5*", component: "ingest" }, action: "page", reason: "The source is down." },
]);

describe("the recorder", () => {
  it("leaves one incident with code, decision, fingerprint and sanitised context after a controlled DNS failure", async () => {
    const incidents = memoryIncidents();
    const recorder = createIncidentRecorder({
      sink: incidents,
      table,
      component: "ingest",
      retryMs: 0,
      versions: { "@hebra/flags": "1.0.0" },
    });
    const error: unknown = await lookup("nowhere.invalid").then(
      () => undefined,
      (caught: unknown) => caught,
    );
    recorder.record(error, {
      org: "acme",
      session: "s1",
      executionId: "e1",
      contextId: "c1",
      flag: "engine-v2",
      mode: "new",
      flagVersion: 7,
      traceId: "t1",
      context: { apiKey: "k-12345", attempt: 1, nested: { authorization: "Bearer abc.def" } },
    });
    await recorder.close();
    const [incident, ...others] = await incidents.list();
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      org: "acme",
      session: "s1",
      executionId: "e1",
      contextId: "c1",
      flag: "engine-v2",
      mode: "new",
      flagVersion: 7,
      traceId: "t1",
      decision: { action: "retry", matched: true, rule: "dns" },
      runbook: "runbooks/dns.md",
      versions: { "@hebra/flags": "1.0.0" },
    });
    expect(["ENOTFOUND", "EAI_AGAIN"]).toContain(incident!.signature.code);
    expect(incident!.signature.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(incident)).not.toMatch(/k-12345|abc\.def/);
  });

  it("leaves one incident when the fault switch is on, and the switch is refused in production", async () => {
    const incidents = memoryIncidents();
    const recorder = createIncidentRecorder({ sink: incidents, table, component: "ingest", retryMs: 0 });
    const fault = createFaultSwitch("staging", { [FAULT_VARIABLE]: "1" });
    try {
      fault();
      recorder.success();
    } catch (error) {
      recorder.record(error);
    }
    await recorder.close();
    expect(await incidents.list()).toMatchObject([
      { signature: { code: "TEST_FAULT" }, decision: { action: "ignore" }, context: {}, runbook: null },
    ]);
    expect(() => createFaultSwitch("production", { [FAULT_VARIABLE]: "1" })).toThrow(
      /HEBRA_TEST_ERROR is set in production/,
    );
    expect(() => createFaultSwitch("PROD", { [FAULT_VARIABLE]: "x" })).toThrow(/Remove it/);
    expect(createFaultSwitch("production", {})()).toBeUndefined();
  });

  it("says __UNMATCHED__ where no rule fits, never nothing", () => {
    const recorder = createIncidentRecorder({ sink: memoryIncidents(), table, component: "chat", retryMs: 0 });
    expect(recorder.record({ code: "HTTP_500" }).decision).toMatchObject({ action: "__UNMATCHED__", matched: false });
    expect(recorder.record({ code: "HTTP_500" }, { component: "ingest" }).decision.action).toBe("page");
    expect(recorder.record(undefined).decision).toMatchObject({ action: "__UNMATCHED__" });
    expect(() => createDecisionTable([{ id: "x", when: {}, action: "__UNMATCHED__", reason: "no" }])).toThrow(
      /must not be __UNMATCHED__/,
    );
  });

  it("keeps incidents on the disk while the sink is away, also over a restart, and replays them in order once", async () => {
    const clock = createManualClock();
    const stored = memoryIncidents();
    let away = true;
    const sink = {
      write: (incidents: readonly Incident[]) => (away ? Promise.reject(new Error("away")) : stored.write(incidents)),
    };
    const path = join(directory, "spool.jsonl");
    const make = () =>
      createIncidentRecorder({
        sink,
        table,
        component: "ingest",
        spool: fileIncidentSpool(path),
        clock,
        retryMs: 1_000,
      });
    const first = make();
    for (let at = 0; at < 3; at++) {
      first.record(new Error(`failure number ${at}`), { session: `s${at}` });
      await clock.advance(10);
    }
    await first.close();
    expect(await fileIncidentSpool(path).size()).toBe(3);
    // A crash in the middle of a line.
    await appendFile(path, '{"id":"torn');
    const second = make();
    second.record(new Error("after the restart"), { session: "s3" });
    away = false;
    await clock.advance(2_000);
    await second.flush();
    expect((await stored.list()).map((incident) => incident.session).sort()).toEqual(["s0", "s1", "s2", "s3"]);
    expect(await fileIncidentSpool(path).size()).toBe(0);
    await second.close();
    expect(clock.pending()).toBe(0);
  });

  it("keeps what the sink did not take when it fails half-way", async () => {
    const spool = fileIncidentSpool(join(directory, "spool.jsonl"), { maxBytes: 200_000 });
    const recorder = createIncidentRecorder({ sink: memoryIncidents(), table, component: "x", retryMs: 0 });
    for (let at = 0; at < 150; at++) await spool.append(recorder.record(new Error("e"), { session: `s${at}` }));
    let calls = 0;
    await expect(
      spool.drain(async () => void (++calls === 2 ? await Promise.reject(new Error("away")) : 0)),
    ).rejects.toThrow();
    expect(await spool.size()).toBe(50);
    const tiny = fileIncidentSpool(join(directory, "tiny.jsonl"), { maxBytes: 10 });
    await tiny.append(recorder.record(new Error("e")));
    expect([await tiny.size(), tiny.dropped()]).toEqual([0, 1]);
    await recorder.close();
  });

  it("keeps incidents in a file, each once", async () => {
    const store = fileIncidents(join(directory, "incidents.jsonl"));
    const recorder = createIncidentRecorder({ sink: store, table, component: "x", retryMs: 0 });
    const incident = recorder.record(new Error("e"), { flag: "f", org: "acme" });
    await recorder.close();
    await store.write([incident]);
    expect(await store.list({ flag: "f", org: "acme", matched: false })).toEqual([incident]);
    expect(await store.list({ flag: "g" })).toEqual([]);
  });

  it("aggregates by fingerprint and window, with successes beside", async () => {
    const clock = createManualClock(0);
    const recorder = createIncidentRecorder({
      sink: memoryIncidents(),
      table,
      component: "ingest",
      clock,
      retryMs: 0,
      windowMs: 60_000,
    });
    const fail = (message: string) => recorder.record(new Error(message));
    for (let at = 0; at < 3; at++) fail(`order ${at} has no price`);
    for (let at = 0; at < 7; at++) recorder.success();
    await clock.advance(120_000);
    fail("order 9 has no price");
    recorder.record({ code: "ENOTFOUND" });
    expect(recorder.aggregate.rows().map(({ start, code, count }) => [start, code, count])).toEqual([
      [0, "UNKNOWN", 3],
      [120_000, "UNKNOWN", 1],
      [120_000, "ENOTFOUND", 1],
    ]);
    expect(recorder.aggregate.windows()).toEqual([
      { start: 0, end: 60_000, attempts: 10, failures: 3, unknown: 3 },
      { start: 60_000, end: 120_000, attempts: 0, failures: 0, unknown: 0 },
      { start: 120_000, end: 180_000, attempts: 2, failures: 2, unknown: 1 },
    ]);
  });
});

describe("the triggers of an immediate rollback", () => {
  const window = (attempts: number, failures: number, unknown = 0): IncidentWindow => ({
    start: 0,
    end: 1,
    attempts,
    failures,
    unknown,
  });

  it("fire on twice the baseline's error rate only with enough attempts and above the floor", () => {
    const baseline = window(10_000, 100);
    expect(errorRateTrigger(window(1_000, 40), baseline).fired).toBe(true);
    expect(errorRateTrigger(window(1_000, 21), baseline).fired).toBe(false);
    expect(errorRateTrigger(window(50, 25), baseline).fired).toBe(false);
    expect(errorRateTrigger(window(1_000, 3), window(10_000, 0)).fired).toBe(false);
    expect(errorRateTrigger(window(1_000, 20), window(10_000, 0)).fired).toBe(true);
    expect(wilsonLower(40, 1_000)).toBeCloseTo(0.0295, 3);
  });

  it("fire on sustained growth of UNKNOWN incidents, not on a spike or a plateau", () => {
    const series = (...unknown: number[]) => unknown.map((count) => window(1_000, count, count));
    expect(unknownGrowthTrigger(series(0, 1, 2, 3, 3, 5, 8)).fired).toBe(true);
    expect(unknownGrowthTrigger(series(0, 0, 0, 0, 0, 0, 30)).fired).toBe(false);
    expect(unknownGrowthTrigger(series(4, 4, 4, 4, 4, 4, 4)).fired).toBe(false);
    expect(unknownGrowthTrigger(series(1, 2)).fired).toBe(false);
    // Traffic doubles, so does everything: no growth of the rate.
    expect(
      unknownGrowthTrigger([1, 2, 4, 8, 16, 32, 64].map((factor) => window(1_000 * factor, factor, factor))).fired,
    ).toBe(false);
  });

  it("fire on zero successes and on listed classes", () => {
    expect(criticalTrigger({ attempts: 5, successes: 0 }, []).fired).toBe(true);
    expect(criticalTrigger({ attempts: 4, successes: 0 }, []).fired).toBe(false);
    expect(criticalTrigger({ attempts: 50, successes: 1 }, ["TIMEOUT"], { classes: ["DATA_LOSS"] }).fired).toBe(false);
    expect(criticalTrigger({ attempts: 1, successes: 1 }, ["DATA_LOSS"], { classes: ["DATA_LOSS"] }).reason).toMatch(
      /DATA_LOSS/,
    );
  });
});

describe("the postmortem", () => {
  it("is filled from the evidence and the incidents", async () => {
    const world = createWorld();
    await world.start(bare);
    for (const reason of ["beta is over", "shadow is clean"]) {
      await world.service.act(FLAG, { event: "advance", by: "ana", reason });
      await world.traffic(2, 200);
    }
    await world.traffic(4, 400, { new: { failing: 0.3 } });
    await world.controller.tick();
    const state = (await world.store.read(FLAG))!;
    const recorder = createIncidentRecorder({
      sink: memoryIncidents(),
      table,
      component: "ingest",
      clock: world.clock,
      retryMs: 0,
    });
    const incidents = [
      recorder.record(new Error("order 1 has no price")),
      recorder.record(new Error("order 2 has no price")),
    ];
    const text = postmortemDocument({
      flag: FLAG,
      postmortem: state.postmortems[0]!,
      evidence: await world.store.evidence(FLAG),
      incidents,
    });
    expect(text).toContain(`# Postmortem ${FLAG}-4`);
    expect(text).toMatch(/\| rollback \| canary\(0\) \| rolledBack\(canary\(0\)\) \| guard (errors|error-ceiling) \|/);
    expect(text).toContain("shadow is clean");
    expect(text).toContain("| errors | rollback |");
    expect(text).toMatch(/UNKNOWN \| 2 \| __UNMATCHED__/);
    expect(Date.parse(text.match(/Due: (\S+)/)![1]!) - Date.parse(text.match(/Opened: (\S+)/)![1]!)).toBe(86_400_000);
  });
});
