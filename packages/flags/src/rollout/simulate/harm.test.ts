import { soak } from "@hebra/test-servers/sample";
import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { parseScenario } from "./scenario.ts";
import { shippedScenarios } from "./shipped-scenarios.ts";
import { studyScenario, type Study } from "./study.ts";

async function study(name: string, some: number): Promise<Study> {
  const found = await studyScenario(parseScenario(shippedScenarios[name]), { runs: soak ? 200 : some, seed: 1 });
  const shown = ({ share, median, p90, p90Hours }: Study["found"]) =>
    `${(share * 100).toFixed(0)} %, median ${median ?? "–"}, 90 % ${p90 ?? "–"} (${p90Hours ?? "–"} h)`;
  console.log(
    `${name}, ${found.runs} runs, sessions of the new engine until found: ${shown(found.found)}; rolled back: ${shown(found.rolledBack)}; naive: ${shown(found.naive)}`,
  );
  return found;
}

test.each([
  ["errors-10x", 12],
  ["errors-5x", 6],
  ["errors-late", 6],
  ["latency-2x", 8],
  ["cost-2x", 6],
])("%s is found within the sessions that the scenario expects", { timeout: 7_200_000 }, async (name, some) => {
  const found = await study(name, some);
  assert.deepEqual(found.problems, []);
  // Harm to people is rolled back; what an answer may cost is for a person to judge.
  if (name !== "cost-2x") expect(found.rolledBack.share).toBeGreaterThanOrEqual(0.9);
});

test.runIf(soak).each(["errors-2x", "unknown-3x", "unknown-10x"])(
  "%s: the figures are printed",
  { timeout: 7_200_000 },
  async (name) => {
    const { found, runs } = await study(name, 1);
    assert.ok(runs > 0 && found.share > 0);
  },
);
