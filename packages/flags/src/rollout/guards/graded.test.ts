import assert from "node:assert/strict";
import { test } from "vitest";
import { noCounts, type ArmCounts } from "../counters.ts";
import { createDraws } from "../simulate/draws.ts";
import { gradedEvidence } from "./graded.ts";
import { addConditional, logSumExp, noEvidence } from "./mixture.ts";

/** Units of one arm by the grade of their cost: 0 is under the median, 4 over the 95th percentile. */
function arm(grades: readonly number[]): ArmCounts {
  const over = (least: number) => grades.filter((grade) => grade >= least).length;
  return {
    ...noCounts,
    costed: grades.length,
    costGraded: grades.length,
    costOver50: over(1),
    costOver75: over(2),
    costOver90: over(3),
    costly: over(4),
  };
}
/** The grade of a value that lies `shift` standard deviations above the legacy arm's. */
const gradeOf = (z: number): number => [0, 0.6745, 1.2816, 1.6449].filter((cut) => z > cut).length;

test("under the null no alternative gains evidence on average, however the costs are distributed", () => {
  const draws = createDraws(11);
  const sums = noEvidence();
  const runs = 4_000;
  for (let run = 0; run < runs; run++) {
    // A distribution that is nobody's frozen one: most units are dear.
    const all = Array.from({ length: 60 }, () => (draws.uniform() < 0.6 ? 4 : (draws.uniform() * 4) | 0));
    const [fresh, legacy]: [number[], number[]] = [[], []];
    for (const grade of all) (draws.uniform() < 0.2 ? fresh : legacy).push(grade);
    gradedEvidence(arm(fresh), arm(legacy)).forEach((log, at) => (sums[at]! += Math.exp(log) / runs));
  }
  for (const mean of sums) assert.ok(mean <= 1.1, String(mean));
});

test("a cost that doubles in every unit gives more than twice the evidence of the top 5 % alone", () => {
  const draws = createDraws(12);
  let [graded, top] = [0, 0];
  for (let run = 0; run < 200; run++) {
    const shift = Math.log(2) / 0.9;
    const fresh = arm(Array.from({ length: 50 }, () => gradeOf(draws.normal() + shift)));
    const legacy = arm(Array.from({ length: 450 }, () => gradeOf(draws.normal())));
    const own = noEvidence();
    addConditional(own, fresh.costly, fresh.costed, legacy.costly, legacy.costed);
    top += logSumExp(own) - Math.log(own.length);
    const all = gradedEvidence(fresh, legacy);
    graded += logSumExp(all) - Math.log(all.length);
  }
  assert.ok(graded > 2 * top && top > 0, `${graded} against ${top}`);
});

test("counters of before the grades say nothing, and no NaN", () => {
  const { costGraded: _, costOver50: __, costOver75: ___, costOver90: ____, ...old } = arm([0, 1, 4]);
  assert.deepEqual(gradedEvidence(old as ArmCounts, old as ArmCounts), noEvidence());
});
