import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { combineObservers, createFlagMetrics, flagMetrics } from "./metrics.ts";
import { bare, createWorld, FLAG } from "./rollout-world.fixture.ts";
import type { Outcome } from "../route/router.ts";

const deploy = join(import.meta.dirname, "../../../../deploy/flags");

/** The names that Prometheus exporters make of ours. */
const exported = new Set([
  "hebra_flags_turns_total",
  "hebra_flags_turn_duration_seconds_bucket",
  "hebra_flags_changes_total",
  "hebra_flags_rollout_share",
  "hebra_flags_guard_log_e",
  "hebra_flags_postmortems_overdue",
]);

function recorded() {
  const seen: { readonly name: string; readonly value: number; readonly labels: object }[] = [];
  const instrument =
    (name: string) =>
    (value: number, labels: object = {}) =>
      void seen.push({ name, value, labels });
  const telemetry = {
    counter: (name: string) => ({ add: instrument(name) }),
    histogram: (name: string) => ({ record: instrument(name) }),
    gauge: (name: string) => ({ record: instrument(name) }),
  };
  return {
    seen,
    metrics: createFlagMetrics({
      telemetry,
      operation: (context) => String(context.attributes?.["operation"] ?? "turn"),
    }),
  };
}

const outcome = (more: Partial<Outcome>): Outcome => ({
  flag: FLAG,
  session: "s",
  context: { session: "s", attributes: { operation: "predict" } },
  mode: "new",
  arm: "new",
  flagVersion: 1,
  startedAt: 0,
  status: "ok",
  unit: "s1",
  error: undefined,
  latencyMs: 1_500,
  at: 0,
  fellBack: false,
  decision: {
    mode: "new",
    reason: "SPLIT",
    ruleId: "canary",
    bucket: 1,
    arm: "new",
    flagVersion: 1,
    errorCode: undefined,
  },
  ...more,
});

describe("metrics", () => {
  it("count turns by flag, arm, engine, operation and outcome, never by session", () => {
    const { seen, metrics } = recorded();
    metrics.observer.finished(outcome({}));
    metrics.observer.finished(outcome({ status: "failed" }));
    metrics.observer.finished(outcome({ status: "failed", fellBack: true, arm: undefined }));
    const labels = { flag: FLAG, arm: "new", engine: "new", operation: "predict" };
    expect(seen.filter((one) => one.name === flagMetrics.turns).map((one) => one.labels)).toEqual([
      { ...labels, outcome: "ok" },
      { ...labels, outcome: "failed" },
      { ...labels, arm: "none", outcome: "fell-back" },
    ]);
    expect(seen.find((one) => one.name === flagMetrics.turnDuration)).toEqual({
      name: flagMetrics.turnDuration,
      value: 1.5,
      labels,
    });
  });

  it("tell the share, the evidence and overdue postmortems of a rollout", async () => {
    const { seen, metrics } = recorded();
    const world = createWorld();
    await world.start(bare);
    for (const reason of ["a", "b"]) {
      await world.service.act(FLAG, { event: "advance", by: "ana", reason });
      await world.traffic(2, 300);
    }
    metrics.record(FLAG, await world.service.status(FLAG), world.clock.now());
    expect(seen).toContainEqual({ name: flagMetrics.share, value: 0.1, labels: { flag: FLAG } });
    expect(
      seen.filter((one) => one.name === flagMetrics.evidence).map((one) => (one.labels as { guard: string }).guard),
    ).toEqual(expect.arrayContaining(["errors", "latency", "unknown"]));
    await world.service.act(FLAG, { event: "rollback", by: "ana", reason: "c" });
    await metrics.notifier(world.notices.at(-1)!);
    expect(seen.at(-1)).toEqual({
      name: flagMetrics.changes,
      value: 1,
      labels: { flag: FLAG, type: "rollout-rolled-back" },
    });
    metrics.record(FLAG, await world.service.status(FLAG), world.clock.now() + 2 * 86_400_000);
    expect(seen).toContainEqual({ name: flagMetrics.overdue, value: 1, labels: { flag: FLAG } });
  });

  it("are what the alert rules and the dashboard ask for", () => {
    const alerts = readFileSync(join(deploy, "alerts.yaml"), "utf8");
    const dashboard = readFileSync(join(deploy, "dashboard.json"), "utf8");
    const used = (text: string) => new Set(text.match(/\bhebra_flags_[a-z_]+/g));
    for (const text of [alerts, dashboard]) for (const name of used(text)) expect([...exported]).toContain(name);
    expect(used(dashboard).size).toBe(exported.size);
    const ours = Object.values(flagMetrics).map((name) => name.replaceAll(".", "_"));
    for (const name of exported) expect(ours.some((one) => name.startsWith(one))).toBe(true);
    expect(alerts).toMatch(/> 0\.001\n/);
    expect(alerts).toMatch(/> 2\n/);
    expect((JSON.parse(dashboard) as { panels: unknown[] }).panels).toHaveLength(6);
  });

  it("combine with other observers, whatever one of them throws", () => {
    const heard: string[] = [];
    const both = combineObservers(
      {
        finished: () => {
          throw new Error("first");
        },
      },
      { finished: () => void heard.push("second"), exposed: () => void heard.push("exposed") },
    );
    expect(() => both.finished!(outcome({}))).toThrow("first");
    both.exposed!(outcome({}));
    expect(heard).toEqual(["second", "exposed"]);
  });
});
