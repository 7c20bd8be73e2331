import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import type { Study } from "../rollout/simulate/study.ts";
import { runLine } from "./cli.fixture.ts";

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "simulate-"))));
afterAll(() => rm(directory, { recursive: true }));

const write = async (name: string, content: unknown): Promise<string> => {
  const path = join(directory, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

test("a scenario that is printed, changed and played finds what the change did", { timeout: 120_000 }, async () => {
  const printed = await runLine(undefined, "rollout simulate --scenario errors-10x --print");
  assert.equal(printed.code, 0, printed.err);
  const scenario = JSON.parse(printed.out) as { traffic: object };
  const file = await write("mine.json", {
    ...scenario,
    name: "mine",
    title: "Every session fails.",
    new: { failingTimes: 100 },
    traffic: { ...scenario.traffic, tenants: 1, turns: 8 },
    expect: { found: 1, foundWithin: 60 },
  });
  const shown = await runLine(undefined, `rollout simulate --scenario ${file} --runs 3`);
  assert.equal(shown.code, 0, shown.out + shown.err);
  assert.match(shown.out, /Every session fails\.\n3 runs, 500 sessions an hour[\s\S]*\nRRR\n/);
  assert.match(shown.out, /rolled back +3 +100\.0 %/);
  const again = JSON.parse(
    (await runLine(undefined, `rollout simulate --scenario ${file} --runs 3 --json`)).out,
  ) as Study;
  assert.equal(again.rollbacks, 3);
  assert.ok(again.rolledBack.p90! <= 60);
  // The same seeds give the same runs.
  assert.match(shown.out, new RegExp(`a rollback +100.0 % +${again.rolledBack.median} +${again.rolledBack.p90} `));
});

test("a scenario whose expectation is not met exits with 2 and says what was found", { timeout: 120_000 }, async () => {
  const file = await write("hopeful.json", {
    name: "hopeful",
    hours: 1,
    traffic: { sessionsPerHour: 400 },
    new: { failingTimes: 1.1 },
    expect: { found: 1 },
  });
  const { code, out } = await runLine(undefined, `rollout simulate --scenario ${file} --runs 1`);
  assert.equal(code, 2, out);
  assert.match(out, /✗ Found in 0\.00 % of runs; at least 100\.00 % is expected\./);
  assert.match(out, /not in time/);
});
