import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "vitest";
import { root } from "../lib/paths.mjs";
import { describeSlices, judgeSlices, slices } from "./slices.mjs";
import { sampled, stages } from "./stages.mjs";

const table = [
  { name: "quick", seconds: 10 },
  { name: "slow", seconds: 100 },
  { name: "later", seconds: 30 },
];
const took = (slice: string, seconds: number) => ({ slice, milliseconds: seconds * 1_000 });

test("the stages of a slice add up, and slices of which nothing ran are not shown", () => {
  assert.deepEqual(
    judgeSlices([took("quick", 4), took("slow", 60), took("quick", 3), { ...took("later", 0), unmet: "build" }], table),
    [
      { slice: "quick", spent: 7, allowed: 10, verdict: "ok" },
      { slice: "slow", spent: 60, allowed: 100, verdict: "ok" },
    ],
  );
});

test("a slice is over above its allowance, and too long above three times of it", () => {
  const verdict = (seconds: number) => judgeSlices([took("quick", seconds)], table)[0]?.verdict;
  assert.deepEqual([10, 10.1, 30, 30.1].map(verdict), ["ok", "over", "over", "too long"]);
});

test("the seconds are printed against the allowance, and the tolerance only when a slice is over", () => {
  assert.deepEqual(describeSlices(judgeSlices([took("quick", 4)], table)), [
    "quick                           4 of   10 s   ok",
  ]);
  assert.match(describeSlices(judgeSlices([took("quick", 12)], table)).join("\n"), /over\n.*3 times an allowance/);
});

test("every stage of a whole run belongs to a slice of the table", () => {
  const names = new Set<string>(slices.map(({ name }) => name));
  assert.deepEqual(
    stages.filter(({ slice, onDemand }) => onDemand !== true && !names.has(slice ?? "")).map(({ name }) => name),
    [],
  );
  assert.equal(names.size, slices.length);
});

test("a soak runs every file that draws a sample", () => {
  const listed = execFileSync("git", ["grep", "-lE", "[^.]sample\\(", "--", "*.test.ts", "*.fixture.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  const drawing = listed.split("\n").filter((file) => file !== "" && file !== "test/support/sample.test.ts");
  // The two fixtures are what `killed.*` and `catch-up.*` are made of.
  const through = ["test/crash/killed-at-each-point.fixture.ts", "test/crash/catch-up.fixture.ts"];
  assert.deepEqual(
    drawing.filter((file) => !through.includes(file) && !sampled.some((prefix) => file.startsWith(prefix))),
    [],
  );
});
