import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digest } from "@hebra/core";
import { scriptedReactor } from "@hebra/reactor";
import { createEngine, defineThread } from "@hebra/thread";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../cli/run-command.ts";
import {
  addDialogue,
  dialogueTables,
  emptyTables,
  hasDialogues,
  small,
  writeTables,
} from "../story-to-thread/legacy-rows.fixture.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "hebra-migrate-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = (target: string, out?: string) => [
  "--source",
  join(folder, "old"),
  "--target",
  join(folder, target),
  ...(out === undefined ? [] : ["--out", join(folder, out)]),
];

async function cli(command: string, target = "desk.sqlite", out = "artifacts"): Promise<Record<string, unknown>> {
  let text = "";
  const exit = await runCommand([command, "--json", ...options(target, command === "verify" ? undefined : out)], {
    out: (more) => (text += more),
    err: () => {},
    isTerminal: false,
  });
  return { exit, ...(JSON.parse(text) as object) };
}

/** A digest of everything in a target. */
async function contents(target: string): Promise<string> {
  const store = await sqliteStore({ path: join(folder, target) });
  let rolled = "";
  for await (const { bundle } of store.system().export()) rolled = digest([rolled, bundle as never]);
  await store.close();
  return rolled;
}

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
  writeTables(join(folder, "old"), tables);
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
    for (const [point, nth] of [
      ["before-import", 1],
      ["after-import", 1],
      ["after-journal", 1],
      ["after-import", 20],
      ["before-import", 15],
      ["after-journal", 20],
    ] as const) {
      expect([point, await run("killed-apply.fixture.ts", [folder, point, String(nth)])]).toEqual([point, "SIGKILL"]);
    }
    expect(await cli("apply")).toMatchObject({ exit: 0, contexts: 60 });
    expect(await cli("verify")).toMatchObject({ exit: 0, ok: true });
    expect(await contents("desk.sqlite")).toBe(whole);
  });

  it("ends the same when the command line is killed from outside, at any moment", { timeout: 240_000 }, async () => {
    const whole = await prepare(400);
    const journal = join(folder, "artifacts/journal.jsonl");
    const done = () => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").length - 1 : 0);
    const endings: string[] = [];
    for (const upTo of [1, 60, 150, 260]) {
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

describe.skipIf(!hasDialogues)("the shared dialogues (skipped without ../shared/data)", () => {
  it(
    "move into SQLite whole: verify is green and a second apply changes nothing; a new turn works on a moved thread",
    { timeout: 900_000 },
    async () => {
      writeTables(join(folder, "old"), await dialogueTables());
      expect(await cli("plan")).toMatchObject({
        contexts: { count: 2098 },
        expected: { items: 38_768, executions: 19_384, calls: 6_027 },
        rejects: { count: 0 },
      });
      expect(await cli("apply")).toMatchObject({ changed: 2098 });
      rmSync(join(folder, "artifacts/journal.jsonl"));
      expect(await cli("apply")).toMatchObject({ changed: 0, unchanged: 2098 });
      expect(await cli("verify")).toMatchObject({
        ok: true,
        found: { items: 38_768, executions: 19_384, calls: 6_027 },
      });

      const store = await sqliteStore({ path: join(folder, "desk.sqlite") });
      const seen: number[] = [];
      const desk = defineThread({
        name: "desk",
        reactor: scriptedReactor({
          steps: [
            (input) => {
              seen.push(input.transcript.length);
              return { text: "Welcome back." };
            },
          ],
          repeatLast: true,
        }),
      });
      const engine = createEngine({ store, threads: [desk] });
      const result = await (
        await engine.react(desk, { id: "again", text: "Me again" }, { address: { key: "1_00000" } })
      ).result;
      expect(result).toMatchObject({ status: "completed", text: "Welcome back." });
      expect(seen).toEqual([13]);
      await engine.close();
      await store.close();
      expect(await cli("verify")).toMatchObject({ ok: true });
    },
  );
});
