import assert from "node:assert/strict";
import { test } from "vitest";
import { describeSlices, judgeSlices, slices } from "./slices.mjs";
import { stages } from "./stages.mjs";

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

test("a slice is over above its allowance, and too long above one and a half times of it", () => {
  const verdict = (seconds: number) => judgeSlices([took("quick", seconds)], table)[0]?.verdict;
  assert.deepEqual([10, 10.1, 15, 15.1].map(verdict), ["ok", "over", "over", "too long"]);
});

test("the seconds are printed against the allowance, and the tolerance only when a slice is over", () => {
  assert.deepEqual(describeSlices(judgeSlices([took("quick", 4)], table)), [
    "quick                           4 of   10 s   ok",
  ]);
  assert.match(describeSlices(judgeSlices([took("quick", 12)], table)).join("\n"), /over\n.*1\.5 times an allowance/);
});

test("every stage belongs to a slice of the table", () => {
  const names = new Set<string>(slices.map(({ name }) => name));
  assert.deepEqual(
    stages.filter(({ slice }) => !names.has(slice)).map(({ name }) => name),
    [],
  );
  assert.equal(names.size, slices.length);
});
