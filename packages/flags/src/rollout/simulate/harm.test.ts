import { soak } from "@hebra/test-servers/sample";
import assert from "node:assert/strict";
import { test } from "vitest";
import { tooMany } from "./few-runs.fixture.ts";
import { parseScenario } from "./scenario.ts";
import { shippedScenarios } from "./shipped-scenarios.ts";
import { studyScenario } from "./study.ts";

async function play(name: string, some: number) {
  const scenario = parseScenario(shippedScenarios[name]);
  const until: number[] = [];
  const study = await studyScenario(scenario, {
    runs: soak ? 200 : some,
    seed: 1,
    onPlay: ({ pause, rollback }) => void until.push((pause ?? rollback)?.newSessions ?? Infinity),
  });
  const shown = ({ share, median, p90, p90Hours }: typeof study.found) =>
    `${(share * 100).toFixed(0)} %, median ${median ?? "–"}, 90 % ${p90 ?? "–"} (${p90Hours ?? "–"} h)`;
  console.log(
    `${name}, ${study.runs} runs, sessions of the new engine until found: ${shown(study.found)}; rolled back: ${shown(study.rolledBack)}; naive: ${shown(study.naive)}`,
  );
  return { study, until, within: scenario.expect.foundWithin ?? Infinity };
}

test.each([
  ["errors-10x", 10],
  ["errors-5x", 4],
  ["errors-late", 3],
  ["latency-2x", 6],
  ["cost-2x", 4],
])("%s is found within the sessions that the scenario expects", { timeout: 7_200_000 }, async (name, some) => {
  const { study, until, within } = await play(name, some);
  if (soak) assert.deepEqual(study.problems, []);
  const late = until.filter((sessions) => sessions > within).length;
  assert.ok(!tooMany(late, study.runs, 0.1), until.join(", "));
  assert.equal(study.found.share, 1);
  // Harm to people is rolled back; what an answer may cost is for a person to judge.
  if (name !== "cost-2x") assert.ok(study.rolledBack.share >= 0.75, String(study.rolledBack.share));
});

test.runIf(soak).each(["errors-2x", "unknown-3x", "unknown-10x"])(
  "%s: the figures are printed",
  { timeout: 7_200_000 },
  async (name) => {
    const { study } = await play(name, 1);
    assert.ok(study.found.share > 0);
  },
);
