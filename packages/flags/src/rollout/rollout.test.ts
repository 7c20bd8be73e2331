import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { replayEvidence, verifyEvidence } from "./evidence.ts";
import { phaseLabel } from "./phase.ts";
import { rolloutPlan, shadowEvidence } from "./plan.ts";
import { reportItems } from "./report.ts";
import { bare, createWorld, FLAG, passingReport, type World } from "./rollout-world.fixture.ts";
import { validateNoRegression } from "../shadow/validate-no-regression.ts";
import { createRolloutService } from "./service.ts";
import { memoryRolloutStore } from "./store/memory.ts";
import { overrideOf } from "./state.ts";

const phase = async (world: World) => phaseLabel((await world.store.read(FLAG))!.phase);
const act = (world: World, command: object) =>
  world.service.act(FLAG, { by: "ana", reason: "because", ...command } as never);

async function refusedFor(work: Promise<unknown>, ...items: string[]): Promise<void> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(HebraError.isInstance(error) ? error.code : error).toBe("EVIDENCE_MISSING");
  expect(((error as HebraError).details["missing"] as { item: string }[]).map((one) => one.item)).toEqual(items);
}

async function toCanary(world: World, plan = bare): Promise<void> {
  await world.start(plan);
  await act(world, { event: "advance" });
  await world.traffic(2, 200);
  await act(world, { event: "advance" });
}

describe("a rollout under its controller", () => {
  it("advances by itself when the window is over and the guards are quiet, and waits for a person before full", async () => {
    const world = createWorld();
    await toCanary(world);
    expect(overrideOf((await world.store.read(FLAG))!)).toMatchObject({ canaryPercent: 10, holdBackPercent: 5 });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "held" });
    await world.traffic(4, 200);
    expect((await world.controller.tick())[0]).toMatchObject({ action: "advanced", phase: "canary(1)" });
    await world.traffic(4, 200);
    expect((await world.controller.tick())[0]).toMatchObject({ action: "none", phase: "canary(1)" });
    await act(world, { event: "advance" });
    expect(await phase(world)).toBe("full");
    expect(overrideOf((await world.store.read(FLAG))!)).toMatchObject({ canaryPercent: 100, holdBackPercent: 5 });
    expect(world.errors).toEqual([]);
  });

  it("rolls back by itself, latches, opens a postmortem due in 24 hours and says when it is overdue", async () => {
    const world = createWorld();
    await toCanary(world);
    await world.traffic(5, 400, { new: { failing: 0.3 } });
    const [result] = await world.controller.tick();
    expect(result).toMatchObject({ action: "rolled-back", phase: "rolledBack(canary(0))" });
    const state = (await world.store.read(FLAG))!;
    expect(overrideOf(state)).toMatchObject({ maxMode: "legacy", canaryPercent: 0 });
    expect(state.postmortems).toMatchObject([{ dueAt: state.enteredAt + 86_400_000, evidence: state.evidenceCount }]);
    expect(world.notices.at(-1)).toMatchObject({ type: "rollout-rolled-back", flag: FLAG });
    await world.traffic(10, 400);
    expect((await world.controller.tick())[0]).toMatchObject({ action: "none", phase: "rolledBack(canary(0))" });
    await world.clock.advance(86_400_000);
    await world.controller.tick();
    await world.controller.tick();
    expect(world.notices.filter((notice) => notice.type === "postmortem-overdue")).toHaveLength(1);
    await act(world, { event: "close-postmortem", id: state.postmortems[0]!.id, link: "https://wiki.example/pm-1" });
    await act(world, { event: "reset", to: "shadow" });
    expect(await phase(world)).toBe("shadow");
  });

  it("rests after a rollback before it can be reset", async () => {
    const world = createWorld();
    await toCanary(world);
    await act(world, { event: "rollback" });
    await refusedFor(act(world, { event: "reset" }), "cool-down");
  });

  it("pauses on evidence that is not enough for a rollback, keeps the split, and begins a new test when resumed", async () => {
    const world = createWorld();
    await toCanary(world);
    await world.traffic(5, 400, { new: { failing: 0.004, incomplete: 0.2 } });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "paused", phase: "paused(canary(0))" });
    expect(overrideOf((await world.store.read(FLAG))!)).toMatchObject({ canaryPercent: 10 });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "none" });
    await act(world, { event: "resume", reason: "the limit of steps was raised" });
    const status = await world.service.status(FLAG);
    expect(status.gathered.blocks).toEqual([]);
    expect(status.state.completed).toEqual([]);
  });

  it("holds while a guard that the plan requires has no data, and names how to feed it [FL-12]", async () => {
    const world = createWorld();
    await toCanary(world, { ...bare, limits: { required: ["errors", "persistence"] } });
    await world.traffic(5, 400);
    const [held] = await world.controller.tick();
    expect(held).toMatchObject({ action: "held", phase: "canary(0)" });
    expect(held!.reason).toMatch(
      /requires the guard persistence, which has no data: .*call `verified\(flag, complete\)`/,
    );
    await world.traffic(1, 400, { row: { persistence: { checked: 5, missing: 0 } } });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "advanced" });
  });

  it("also rolls back while it is paused", async () => {
    const world = createWorld();
    await toCanary(world);
    await act(world, { event: "pause" });
    await world.traffic(5, 400, { new: { failing: 0.3 } });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "rolled-back" });
  });

  it("asks a person first when the plan says `confirm`", async () => {
    const world = createWorld();
    await toCanary(world, { ...bare, rollback: "confirm" });
    await world.traffic(5, 400, { new: { failing: 0.3 } });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "proposed", phase: "paused(canary(0))" });
    expect(world.notices.map((notice) => notice.type)).toContain("rollback-proposed");
    expect((await world.controller.tick())[0]).toMatchObject({ action: "none" });
  });

  it("only holds without data, and when counters cannot be read", async () => {
    const world = createWorld();
    await toCanary(world);
    await world.clock.advance(40 * 86_400_000);
    expect((await world.controller.tick())[0]).toMatchObject({ action: "held" });
    world.store.counters = () => Promise.reject(new Error("the store is away"));
    expect((await world.controller.tick())[0]).toMatchObject({ action: "held" });
    expect((await world.service.status(FLAG)).report.reason).toContain("the store is away");
  });

  it("does not count sessions that started before the step", async () => {
    const world = createWorld();
    await world.start(bare);
    await act(world, { event: "advance" });
    await world.traffic(3, 500, { legacy: { failing: 0.5 } });
    await act(world, { event: "advance" });
    expect((await world.service.status(FLAG)).gathered.legacy.assigned).toBe(0);
  });
});

describe("the gates", () => {
  it("let nobody into shadow without the human evidence, and nobody out before seven clean days of comparisons", async () => {
    const world = createWorld();
    await world.start();
    await refusedFor(act(world, { event: "advance" }), ...shadowEvidence.map((item) => `evidence:${item}`));
    await world.attest(...shadowEvidence);
    await act(world, { event: "advance" });
    await world.compared(5_000, { onlyNewFailed: 5 });
    await refusedFor(act(world, { event: "advance" }), "shadow-time");
    await world.compared(5_000, { mismatched: 200 });
    await world.clock.advance(7 * 86_400_000);
    await refusedFor(act(world, { event: "advance" }), "shadow-mismatch");
    await world.compared(40_000, { onlyNewFailed: 100 });
    await refusedFor(act(world, { event: "advance" }), "shadow-errors");
  });

  it("want the reports of regression and performance themselves, unchanged and with a verdict of yes", async () => {
    const world = createWorld();
    await world.start();
    const attest = (item: string, more: object = {}) =>
      act(world, { event: "attest", item, link: `https://ci.example/${item}`, ...more });
    await world.attest(...shadowEvidence.filter((item) => !reportItems.includes(item)));
    await attest("no-regression");
    await attest("performance-baseline", { digest: "ab".repeat(32) });
    await refusedFor(act(world, { event: "advance" }), "evidence:no-regression", "evidence:performance-baseline");

    const good = await validateNoRegression({
      cases: [{ id: "a", input: 1 }],
      legacy: (n: number) => n,
      next: (n: number) => n,
      clock: world.clock,
    });
    const bad = await validateNoRegression({
      cases: [{ id: "a", input: 1 }],
      legacy: (n: number) => n,
      next: (n: number) => n * 2,
      clock: world.clock,
    });
    await expect(attest("no-regression", { report: "yes" })).rejects.toMatchObject({ code: "PARSE_ERROR" });
    await expect(attest("no-regression", { report: bad })).rejects.toMatchObject({
      code: "EVIDENCE_MISSING",
      message: expect.stringContaining("says no") as string,
    });
    await expect(attest("no-regression", { report: { ...bad, ok: true } })).rejects.toMatchObject({
      code: "EVIDENCE_TAMPERED",
    });
    await expect(attest("no-regression", { report: good, digest: bad.digest })).rejects.toMatchObject({
      code: "EVIDENCE_TAMPERED",
    });
    await expect(attest("performance-baseline", { report: good })).rejects.toMatchObject({ code: "EVIDENCE_MISSING" });
    await attest("no-regression", { report: JSON.parse(JSON.stringify(good)) as unknown });
    await attest("performance-baseline", { report: passingReport("performance-baseline", { signature: undefined }) });
    await act(world, { event: "advance" });
    const details = (await world.store.evidence(FLAG)).flatMap(({ detail }) =>
      detail?.["verified"] === true ? [[detail["item"], detail["digest"]]] : [],
    );
    expect(details[0]).toEqual(["no-regression", good.digest]);

    // A rollback voids them: the engine that comes back is another one.
    await act(world, { event: "rollback" });
    await world.clock.advance(900_000);
    await act(world, { event: "reset" });
    await refusedFor(act(world, { event: "advance" }), "evidence:no-regression", "evidence:performance-baseline");
  });

  it("take a named override for the least time, and keep it in the evidence", async () => {
    const world = createWorld();
    await world.start({ ...bare, shadow: { evidence: [], leastMs: 7 * 86_400_000, minCompared: 0 } });
    await act(world, { event: "advance" });
    await refusedFor(act(world, { event: "advance" }), "shadow-time");
    await world.service.act(FLAG, {
      event: "attest",
      by: "cto",
      reason: "the contract ends on Friday",
      item: "override:shadow-time",
    });
    await act(world, { event: "advance" });
    expect((await world.store.evidence(FLAG)).map((record) => record.detail?.["item"])).toContain(
      "override:shadow-time",
    );
  });

  it("want two people in two roles, neither of them the starter, and void the signatures when the phase changes", async () => {
    const world = createWorld();
    await toCanary(world, { ...bare, steps: [{ percent: 10 }], full: { evidence: [], observeMs: 0 } });
    await world.traffic(3, 300);
    await refusedFor(act(world, { event: "advance" }), "approval:technical", "approval:operational");
    await expect(act(world, { event: "approve", role: "technical" })).rejects.toThrow(/ana started this rollout/);
    await act(world, { event: "approve", role: "technical", by: "bo" });
    await act(world, { event: "approve", role: "operational", by: "bo" });
    await refusedFor(act(world, { event: "advance" }), "approval");
    await act(world, { event: "approve", role: "operational", by: "cy" });
    await act(world, { event: "advance" });
    expect((await world.store.read(FLAG))!.approvals).toEqual([]);
  });

  it("ask checks at the moment of entering: a no, an error, a hang and one that nobody can do keep the edge shut", async () => {
    const answers: Record<string, () => unknown> = {
      configuration: () => ({ ok: false, detail: "API_TOKEN is not set" }),
      migrations: () => Promise.reject(new Error("the database is away")),
    };
    const clock = createManualClock();
    const store = memoryRolloutStore();
    let hanging = 0;
    const service = createRolloutService({
      store,
      clock,
      checks: {
        configuration: () => answers["configuration"]!() as never,
        migrations: () => answers["migrations"]!() as never,
        compatible: (_, signal) => new Promise(() => signal.addEventListener("abort", () => void hanging++)),
      },
    });
    const actAs = (command: object) => service.act(FLAG, { by: "ana", reason: "because", ...command } as never);
    await actAs({
      event: "start",
      plan: rolloutPlan({
        owner: "t",
        ...bare,
        shadow: { ...bare.shadow, checks: ["configuration", "migrations", "compatible", "elsewhere"] },
      }),
    });
    const refused = actAs({ event: "advance" });
    const settled = refusedFor(
      refused,
      "check:configuration",
      "check:migrations",
      "check:compatible",
      "check:elsewhere",
    );
    await clock.advance(5_000);
    await settled;
    expect(hanging).toBe(1);
    await expect(refused).rejects.toThrow(
      /API_TOKEN is not set[\s\S]*the database is away[\s\S]*did not answer within 5 s[\s\S]*give `checks.elsewhere`/,
    );
    expect(clock.pending()).toBe(0);

    const again = createRolloutService({
      store,
      clock,
      checks: Object.fromEntries(
        ["configuration", "migrations", "compatible", "elsewhere"].map((name) => [
          name,
          () => ({ ok: true, detail: `${name} is fine` }),
        ]),
      ),
    });
    await again.act(FLAG, { event: "advance", by: "ana", reason: "because" });
    expect((await store.evidence(FLAG)).at(-1)!.detail).toMatchObject({ "check:migrations": "migrations is fine" });
    verifyEvidence(await store.evidence(FLAG));
  });

  it("enter a step in its low-impact window and with a fresh smoke verdict only", async () => {
    const world = createWorld();
    await toCanary(world, {
      ...bare,
      steps: [
        { percent: 10 },
        {
          percent: 20,
          window: { days: [1, 2, 3], from: "02:00", to: "05:00", timeZone: "Europe/Madrid" },
          smokeMaxAgeMs: 3_600_000,
        },
      ],
    });
    await world.traffic(3, 300);
    await refusedFor(act(world, { event: "advance" }), "window", "smoke");
    // Monday 2026-03-02, 02:30 in Madrid.
    await world.clock.advance(Date.UTC(2026, 2, 2, 1, 20) - world.clock.now());
    await act(world, { event: "smoke", ok: false });
    await world.traffic(2, 300);
    await refusedFor(act(world, { event: "advance" }), "smoke");
    await act(world, { event: "smoke", ok: true });
    await act(world, { event: "advance" });
    expect(await phase(world)).toBe("canary(1)");
  });

  it("cut over only while the legacy engine is healthy", async () => {
    const world = createWorld();
    await world.start(bare);
    await act(world, { event: "advance" });
    await refusedFor(act(world, { event: "cutover" }), "legacy-health");
    await world.traffic(3, 500, { legacy: { failing: 0.05 } });
    await refusedFor(act(world, { event: "cutover" }), "legacy-health");
  });

  it("retire after clean days, without hold-back and without callers of the old endpoints", async () => {
    const world = createWorld();
    await world.start(bare);
    await act(world, { event: "advance" });
    await world.traffic(3, 500);
    await act(world, { event: "cutover" });
    await world.traffic(3, 200);
    await refusedFor(act(world, { event: "retire" }), "clean-time", "hold-back", "legacy-usage");
    await act(world, { event: "set-hold-back", holdBack: 0 });
    await world.clock.advance(7 * 86_400_000);
    await world.traffic(3, 200);
    await act(world, { event: "legacy-usage", calls: 3 });
    await refusedFor(act(world, { event: "retire" }), "legacy-usage");
    await act(world, { event: "legacy-usage", calls: 0 });
    await act(world, { event: "retire" });
    await act(world, { event: "reinstate" });
    await act(world, { event: "legacy-usage", calls: 0 });
    await world.clock.advance(7 * 86_400_000);
    await world.traffic(3, 200);
    await act(world, { event: "legacy-usage", calls: 0 });
    await act(world, { event: "retire" });
    await act(world, { event: "remove" });
    await refusedFor(act(world, { event: "reinstate" }), "removed");
  });
});

describe("the evidence", () => {
  async function history(): Promise<World> {
    const world = createWorld();
    await toCanary(world);
    await world.traffic(4, 200);
    await world.controller.tick();
    await world.traffic(4, 400, { new: { failing: 0.3 } });
    await world.controller.tick();
    return world;
  }

  it("replays: every recorded judgement comes out again, for advances as for rollbacks", async () => {
    const world = await history();
    const records = await world.store.evidence(FLAG);
    expect(records.map((record) => [record.event, record.to, record.cause.kind])).toEqual([
      ["start", "internal", "operator"],
      ["advance", "shadow", "operator"],
      ["advance", "canary(0)", "operator"],
      ["advance", "canary(1)", "schedule"],
      ["rollback", "rolledBack(canary(1))", "guard"],
    ]);
    verifyEvidence(records, (await world.store.read(FLAG))!.head);
    const replayed = replayEvidence(records);
    expect(replayed.map(({ recorded, agrees }) => [recorded, agrees])).toEqual([
      ["quiet", true],
      ["rollback", true],
    ]);
    expect(replayEvidence(JSON.parse(JSON.stringify(records)) as typeof records).every((one) => one.agrees)).toBe(true);
  });

  it("shows a changed counter, a dropped record, a swapped pair and a cut-off end", async () => {
    const world = await history();
    const records = await world.store.evidence(FLAG);
    const head = (await world.store.read(FLAG))!.head;
    const tampered = structuredClone(records) as unknown as {
      judgement?: { input: { blocks: { new: { failed: number } }[] } };
    }[];
    tampered[4]!.judgement!.input.blocks[0]!.new.failed--;
    expect(() => verifyEvidence(tampered as unknown as typeof records, head)).toThrow(/Record 5 .* was changed/);
    expect(() => verifyEvidence([...records.slice(0, 2), ...records.slice(3)], head)).toThrow(
      /Record 3 .* sequence 4 where 3/,
    );
    expect(() => verifyEvidence([records[1]!, records[0]!, ...records.slice(2)], head)).toThrow(/Record 1/);
    expect(() => verifyEvidence(records.slice(0, 4), head)).toThrow(/ends at record 4/);
  });
});
