import { soak } from "@hebra/test-servers/sample";
import assert from "node:assert/strict";
import { test } from "vitest";
import { parseScenario } from "./scenario.ts";
import { shippedScenarios } from "./shipped-scenarios.ts";
import { studyScenario } from "./study.ts";

/** Runs under `npm run soak`, and otherwise: a run of 24 simulated hours takes about half a second. */
const kinds: readonly (readonly [name: string, whole: number, some: number])[] = [
  ["base", 2_000, 8],
  ["quiet", 500, 3],
  ["busy", 500, 1],
  ["one-tenant", 500, 3],
  ["bot", 500, 3],
  ["clocks", 500, 3],
  ["warm-up", 500, 3],
  ["drift", 500, 3],
];

test.each(kinds)(
  "both engines alike, %s: healthy rollouts are left alone",
  { timeout: 7_200_000 },
  async (name, whole, some) => {
    const { expect, ...scenario } = shippedScenarios[name]!;
    // The upper limit of a share says nothing about a handful of runs.
    const { rollbacksUpper, ...rest } = expect!;
    const filled = parseScenario({ ...scenario, expect: soak && rollbacksUpper !== undefined ? expect : rest });
    const study = await studyScenario(filled, { runs: soak ? whole : some, seed: 1 });
    console.log(
      `${name}: of ${study.runs} healthy rollouts ${study.rollbacks} were rolled back and ${study.pauses} paused ${JSON.stringify(study.guards)}; twice the failing turns would have stopped ${(study.naive.share * 100).toFixed(0)} %`,
    );
    assert.deepEqual(study.problems, []);
  },
);
