import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { readDeploy, spoiled, yamlDocuments } from "./support/files.ts";
import { isFlagSeries, knownSeries } from "./support/metric-names.ts";
import { queryProblems, seriesIn } from "./support/promql.ts";
import { headingsOf, operationsPage } from "./support/operations-page.ts";

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { type: string; uid: string };
  targets?: { refId: string; expr: string; legendFormat: string }[];
}
interface Dashboard {
  uid: string;
  templating: { list: { name: string; query: string }[] };
  panels: Panel[];
}
interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}

const dashboard = JSON.parse(readDeploy("dashboards/hebra.json")) as Dashboard;
const [{ groups }] = yamlDocuments(readDeploy("alerts/hebra.yaml")) as [{ groups: { name: string; rules: Rule[] }[] }];
const rules = groups.flatMap((group) => group.rules);
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const known = knownSeries();

/** The metrics that the design lists, each with the series that shows it. */
const asked: Readonly<Record<string, readonly string[]>> = {
  "queue depth": ["hebra_queue_depth"],
  "oldest age": ["hebra_queue_oldest_age_seconds", "hebra_queue_oldest_waiting_age_seconds"],
  "in flight": ["hebra_queue_in_flight"],
  "turn latency": ["hebra_turn_duration_seconds_bucket"],
  "step latency": ["hebra_step_duration_seconds_bucket"],
  "lock wait": ["hebra_lock_wait_seconds_bucket"],
  "lease lost": ["hebra_lease_lost_total"],
  "fence rejected": ["hebra_fence_rejected_total"],
  duplicates: ["hebra_trigger_duplicates_total", "hebra_channel_published_total"],
  retries: ["hebra_retries_total"],
  attempts: ["hebra_delivery_attempts_bucket"],
  injections: ["hebra_turn_injections_total"],
  "outbound latency": ["hebra_outbound_duration_seconds_bucket"],
  "dead letters": ["hebra_dead_letters"],
  "errors by action": ["hebra_action_errors_total"],
  "errors by provider": ["hebra_provider_errors_total"],
  tokens: ["gen_ai_client_token_usage_sum"],
  cost: ["hebra_cost_total"],
  "workers ready": ["up"],
};

describe("the dashboard", () => {
  test("asks for what processes have", () => {
    assert.deepEqual(
      queries.flatMap((query) => queryProblems(query, known)),
      [],
    );
    assert.deepEqual(
      dashboard.templating.list
        .slice(1)
        .flatMap(({ query }) => queryProblems(/^label_values\((.*), \w+\)$/.exec(query)?.[1] ?? query, known)),
      [],
    );
  });

  test.each(Object.entries(asked))("shows %s", (_what, series) => {
    for (const name of series)
      assert.ok(
        queries.some((query) => seriesIn(query).includes(name)),
        name,
      );
  });

  test("shows everything that a runtime or an engine measures", () => {
    const shown = new Set(queries.flatMap(seriesIn).map((name) => name.replace(/_(?:bucket|count|sum)$/, "")));
    const measured = new Set(
      [...known.keys()].filter((name) => !isFlagSeries(name)).map((name) => name.replace(/_(?:bucket|count|sum)$/, "")),
    );
    // A turn in one process; the dashboard has turns as the runtime sees them, and whole ones.
    measured.delete("gen_ai_invoke_agent_duration_seconds");
    assert.deepEqual(
      [...measured].filter((name) => !shown.has(name)),
      [],
    );
  });

  test("has the median and both high percentiles of turns, steps and waits", () => {
    for (const name of [
      "hebra_turn_duration_seconds_bucket",
      "hebra_step_duration_seconds_bucket",
      "hebra_lock_wait_seconds_bucket",
      "hebra_turn_wait_seconds_bucket",
    ]) {
      const quantiles = queries
        .filter((query) => seriesIn(query).includes(name))
        .map((query) => /histogram_quantile\(([\d.]+)/.exec(query)?.[1]);
      assert.deepEqual(quantiles, ["0.5", "0.95", "0.99"], name);
    }
  });

  test("is laid out without overlap, each panel with its own id, a description and a source that can be chosen", () => {
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    for (const [index, one] of dashboard.panels.entries()) {
      const { x, w } = one.gridPos;
      assert.ok(x >= 0 && x + w <= 24, one.title);
      for (const other of dashboard.panels.slice(index + 1))
        assert.ok(!overlap(one.gridPos, other.gridPos), `${one.title} and ${other.title}`);
    }
    for (const { title, description, datasource, targets = [] } of panels) {
      assert.deepEqual(
        [description !== undefined && description !== "", datasource?.uid, targets.length > 0],
        [true, "${datasource}", true],
        title,
      );
    }
  });
});

describe("the alert rules", () => {
  test("ask for what processes have", () => {
    assert.deepEqual(
      rules.flatMap(({ expr }) => queryProblems(expr, known)),
      [],
    );
  });

  test("have a name of their own, a severity, a summary, and a runbook in the page of operations", () => {
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
    const headings = headingsOf(operationsPage());
    for (const { alert, labels, annotations } of rules) {
      assert.match(labels.severity, /^(?:info|warning|critical)$/, alert);
      assert.ok(annotations.summary.length > 20, alert);
      const [page, anchor] = annotations.runbook.split("#");
      assert.equal(page, "docs/guide/operations.md", alert);
      assert.ok(headings.includes(anchor!), `${alert}: the page of operations has no heading #${anchor ?? ""}`);
    }
  });

  test("watch every metric that means that something is wrong", () => {
    const watched = new Set(rules.flatMap(({ expr }) => seriesIn(expr)));
    for (const name of [
      "hebra_dead_letters",
      "hebra_lease_lost_total",
      "hebra_fence_rejected_total",
      "hebra_action_errors_total",
      "hebra_provider_errors_total",
      "hebra_queue_oldest_age_seconds",
      "hebra_queue_oldest_waiting_age_seconds",
      "hebra_delivery_given_back_total",
      "hebra_lock_wait_seconds_bucket",
      "up",
    ])
      assert.ok(watched.has(name), name);
  });
});

describe("a check finds", () => {
  const planted = (from: string, to: string) =>
    spoiled(queries, (copy) => void copy.splice(0, copy.length, ...copy.map((query) => query.replace(from, to))));
  test.each([
    [
      "a metric without its unit",
      "hebra_turn_duration_seconds_bucket",
      "hebra_turn_duration_bucket",
      /no process has hebra_turn_duration_bucket/,
    ],
    ["a counter without its end", "hebra_lease_lost_total", "hebra_lease_lost", /no process has hebra_lease_lost$/m],
    [
      "a histogram as a number",
      "hebra_step_duration_seconds_bucket",
      "hebra_step_duration_seconds",
      /no process has hebra_step_duration_seconds$/m,
    ],
    ["a selection by a label that it has not", "hebra_definition=~", "definition=~", /has no label definition/],
    [
      "a group by a label that it has not",
      "sum by (channel, status)",
      "sum by (chat, status)",
      /hebra_channel_published_total has no label chat to be grouped by/,
    ],
    ["a bracket that is left open", "rate(hebra_retries_total", "rate((hebra_retries_total", /cannot be read/],
  ])("%s", (_title, from, to, expected) => {
    assert.match(
      planted(from, to)
        .flatMap((query) => queryProblems(query, known))
        .join("\n"),
      expected,
    );
  });
});

const overlap = (a: Panel["gridPos"], b: Panel["gridPos"]) =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
