import { soak } from "@hebra/test-servers/sample";
import assert from "node:assert/strict";
import { test } from "vitest";
import { tooMany } from "./few-runs.fixture.ts";
import { parseScenario } from "./scenario.ts";
import { shippedScenarios } from "./shipped-scenarios.ts";
import { studyScenario } from "./study.ts";

/** Runs under `npm run soak`, and otherwise: a run of 24 simulated hours takes about half a second. */
const kinds: readonly (readonly [name: string, whole: number, some: number])[] = [
  ["base", 2_000, 6],
  ["quiet", 500, 2],
  ["busy", 500, 1],
  ["one-tenant", 500, 2],
  ["bot", 500, 2],
  ["clocks", 500, 2],
  ["warm-up", 500, 2],
  ["drift", 500, 2],
];

test.each(kinds)(
  "both engines alike, %s: healthy rollouts are left alone",
  { timeout: 7_200_000 },
  async (name, whole, some) => {
    const scenario = parseScenario(shippedScenarios[name]);
    const study = await studyScenario(scenario, { runs: soak ? whole : some, seed: 1 });
    const { runs, rollbacks, pauses, guards, naive } = study;
    console.log(
      `${name}: of ${runs} healthy rollouts ${rollbacks} were rolled back and ${pauses} paused ${JSON.stringify(guards)}; twice the failing turns would have stopped ${(naive.share * 100).toFixed(0)} %`,
    );
    const { rollbacks: mostRollbacks, pauses: mostPauses } = scenario.expect;
    if (soak) assert.deepEqual(study.problems, []);
    assert.ok(!tooMany(rollbacks, runs, mostRollbacks!), `${rollbacks} of ${runs} rolled back`);
    assert.ok(!tooMany(pauses, runs, mostPauses!), `${pauses} of ${runs} paused`);
  },
);
