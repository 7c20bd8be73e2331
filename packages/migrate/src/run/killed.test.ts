import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sample } from "@hebra/test-servers/sample";
import { describe, expect, it } from "vitest";
import { addDialogue, emptyTables, small, writeTables } from "../story-to-thread/legacy-rows.fixture.ts";
import { wholeRun } from "./whole-run.fixture.ts";

const { folder, options, cli, contents } = wholeRun();

/** Runs a program with the sources, and says how it ended. */
function run(file: string, args: readonly string[], during?: (child: ChildProcess) => Promise<void>): Promise<string> {
  const child = spawn(
    process.execPath,
    ["--conditions=@hebra/source", "--import", "tsx", join(import.meta.dirname, file), ...args],
    { stdio: "ignore" },
  );
  const ended = new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? String(code))));
  return during === undefined ? ended : during(child).then(() => ended);
}

async function prepare(dialogues: number): Promise<string> {
  const tables = emptyTables();
  for (let i = 0; i < dialogues; i++) addDialogue(tables, { ...small, id: `dialogue-${i}` });
  writeTables(join(folder(), "old"), tables);
  expect(await cli("plan", "whole.sqlite", "whole")).toMatchObject({ exit: 0 });
  expect(await cli("apply", "whole.sqlite", "whole")).toMatchObject({ exit: 0, changed: dialogues });
  expect(await cli("plan")).toMatchObject({ exit: 0 });
  return contents("whole.sqlite");
}

describe("a run that is killed", () => {
  it("ends the same when it is started again, wherever it was cut off", { timeout: 240_000 }, async () => {
    const whole = await prepare(60);
    // Where the next run begins depends on how far the last one came: together they pass every kind of point, early and
    // late.
    const points = [
      ["before-import", 1],
      ["after-import", 1],
      ["after-journal", 1],
      ["after-import", 20],
      ["before-import", 15],
      ["after-journal", 20],
    ] as const;
    for (const [point, nth] of sample("points of an apply", points, 3)) {
      expect([point, await run("killed-apply.fixture.ts", [folder(), point, String(nth)])]).toEqual([point, "SIGKILL"]);
    }
    expect(await cli("apply")).toMatchObject({ exit: 0, contexts: 60 });
    expect(await cli("verify")).toMatchObject({ exit: 0, ok: true });
    expect(await contents("desk.sqlite")).toBe(whole);
  });

  it("ends the same when the command line is killed from outside, at any moment", { timeout: 240_000 }, async () => {
    const whole = await prepare(400);
    const journal = join(folder(), "artifacts/journal.jsonl");
    const done = () => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").length - 1 : 0);
    const endings: string[] = [];
    for (const upTo of sample("moments of an apply", [1, 60, 150, 260], 2)) {
      const ending = await run("../cli/main.ts", ["apply", ...options("desk.sqlite", "artifacts")], async (child) => {
        while (done() < upTo && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
        child.kill("SIGKILL");
      });
      endings.push(ending);
      // A machine that looks away for long may see the run end: that is no failure.
      if (done() >= 400) break;
    }
    expect(endings).toContain("SIGKILL");
    expect(await cli("apply")).toMatchObject({ exit: 0, contexts: 400 });
    expect(await cli("verify")).toMatchObject({ exit: 0, ok: true });
    expect(await contents("desk.sqlite")).toBe(whole);
  });
});
