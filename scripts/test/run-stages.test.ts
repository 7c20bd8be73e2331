import assert from "node:assert/strict";
import { test } from "vitest";
import { runStages, summary } from "./run-stages.mjs";
import { stages } from "./stages.mjs";
import { one } from "./tally.mjs";

const context = { scratch: "unused", tarballs: "unused" };
const stage = (name: string, ok: boolean, needs?: string[]) => ({
  name,
  title: name,
  slice: "docs" as const,
  ...(needs === undefined ? {} : { needs }),
  run: async () => one(ok),
});

test("later stages run after a failure, except those that need the failed one, also at one remove", async () => {
  const said: string[] = [];
  const outcomes = await runStages(
    [
      stage("lint", false),
      stage("build", false),
      stage("pack", true, ["build"]),
      stage("publint", true, ["pack"]),
      stage("docs", true),
    ],
    context,
    (line) => said.push(line),
  );
  assert.deepEqual(
    outcomes.map(({ name, unmet }) => [name, unmet]),
    [
      ["lint", undefined],
      ["build", undefined],
      ["pack", "build"],
      ["publint", "pack"],
      ["docs", undefined],
    ],
  );
  assert.deepEqual(summary(outcomes), {
    tally: { passed: 1, failed: 2, skipped: 2 },
    failed: ["lint", "build"],
    tooLong: [],
  });
  assert.ok(said.some((line) => line.includes("publint") && line.includes("not run, because pack failed")));
});

test("a stage that throws has failed", async () => {
  const outcomes = await runStages(
    [{ name: "broken", title: "", slice: "docs", run: () => Promise.reject(new Error("the disk is full")) }],
    context,
    () => {},
  );
  assert.deepEqual(summary(outcomes).failed, ["broken"]);
});

test("every stage needs only stages that come before it", () => {
  const seen = new Set<string>();
  for (const { name, needs = [] } of stages) {
    for (const needed of needs) assert.ok(seen.has(needed), `${name} needs ${needed}`);
    seen.add(name);
  }
});

test("a slice that took too long fails the run though every stage passed; one that is only over does not", async () => {
  const outcomes = await runStages([stage("docs", true)], context, () => {});
  const report = (verdict: "over" | "too long") => ({ slice: "docs", spent: 60, allowed: 45, verdict });
  assert.deepEqual(summary(outcomes, [report("over")]).tally, { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual(summary(outcomes, [report("too long")]), {
    tally: { passed: 1, failed: 1, skipped: 0 },
    failed: [],
    tooLong: ["docs"],
  });
});
