import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createFlagMetrics, flagMetrics } from "@hebra/flags/rollout";
import { threadMetrics, type MetricDescription } from "@hebra/thread";
import { test } from "vitest";
import { root } from "../scripts/lib/paths.mjs";

const page = readFileSync(join(root, "docs/reference/metrics.md"), "utf8");
const words = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word!);

/** The rows of the tables, as descriptions. */
const documented = page.split("\n").flatMap((line): MetricDescription[] => {
  const cells = line.split("|").map((cell) => cell.trim());
  if (!cells[1]?.startsWith("`")) return [];
  const [, name, kind, unit, labels, description] = cells;
  return [
    {
      name: words(name!)[0]!,
      kind: kind as MetricDescription["kind"],
      unit: words(unit!)[0]!,
      labels: words(labels!),
      description: description!,
    },
  ];
});
const isFlags = ({ name }: MetricDescription) => name.startsWith("hebra.flags.");

test("the page of metrics says of each metric of the engine and the runtime what the code says", () => {
  assert.deepEqual(
    documented.filter((row) => !isFlags(row)),
    Object.values(threadMetrics).map((metric) => ({ ...metric, labels: [...metric.labels] })),
  );
});

test("the page of metrics says of each metric of the flags what they are made with", () => {
  const made = new Map<string, { kind: string; unit: string | undefined }>();
  const make = (kind: string) => (name: string, options?: { unit?: string }) => {
    made.set(name, { kind, unit: options?.unit });
    return { add: () => undefined, record: () => undefined };
  };
  createFlagMetrics({ telemetry: { counter: make("counter"), histogram: make("histogram"), gauge: make("gauge") } });
  assert.deepEqual(
    documented.filter(isFlags).map(({ name }) => name),
    Object.values(flagMetrics),
  );
  for (const { name, kind, unit } of documented.filter(isFlags)) assert.deepEqual({ kind, unit }, made.get(name), name);
});

test("no name is there twice, and no label could be without bound", () => {
  const names = documented.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  const labels = documented.flatMap((metric) => [...metric.labels]);
  assert.deepEqual(
    labels.filter((label) => /tenant|session|\.id$|chat|user/.test(label)),
    [],
  );
});
