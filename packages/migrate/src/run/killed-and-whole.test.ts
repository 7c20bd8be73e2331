import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digest } from "@hebra/core";
import { scriptedReactor } from "@hebra/reactor";
import { createEngine, defineThread } from "@hebra/thread";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../cli/run-command.ts";
import { addDialogue, dialogueTables, emptyTables, hasDialogues, small, writeTables } from "../story-to-thread/legacy-rows.fixture.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "hebra-migrate-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = (target: string, out?: string) => ["--source", join(folder, "old"), "--target", join(folder, target), ...(out === undefined ? [] : ["--out", join(folder, out)])];

async function cli(command: string, target = "desk.sqlite", out = "artifacts"): Promise<Record<string, unknown>> {
  let text = "";
  const exit = await runCommand([command, "--json", ...options(target, command === "verify" ? undefined : out)], { out: (more) => (text += more), err: () => {}, isTerminal: false });
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

describe("a run that is killed", () => {
  it("ends the same when it is started again, wherever it was cut off", { timeout: 120_000 }, async () => {
    const tables = emptyTables();
    for (let i = 0; i < 400; i++) addDialogue(tables, { ...small, id: `dialogue-${i}` });
    writeTables(join(folder, "old"), tables);
    expect(await cli("plan", "whole.sqlite", "whole")).toMatchObject({ exit: 0 });
    expect(await cli("apply", "whole.sqlite", "whole")).toMatchObject({ exit: 0, changed: 400 });

    expect(await cli("plan")).toMatchObject({ exit: 0 });
    const done = () => (existsSync(join(folder, "artifacts/journal.jsonl")) ? readFileSync(join(folder, "artifacts/journal.jsonl"), "utf8").split("\n").length - 1 : 0);
    for (const upTo of [40, 150, 280]) {
      const child = spawn(process.execPath, ["--conditions=@hebra/source", "--import", "tsx", join(import.meta.dirname, "../cli/main.ts"), "apply", ...options("desk.sqlite", "artifacts")], { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
      while (done() < upTo && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill("SIGKILL");
      expect(await ended).toBe("SIGKILL");
      expect(done()).toBeLessThan(400);
    }
    expect(await cli("apply")).toMatchObject({ exit: 0, contexts: 400 });
    expect(await cli("verify")).toMatchObject({ exit: 0, ok: true });
    expect(await contents("desk.sqlite")).toBe(await contents("whole.sqlite"));
  });
});

describe.skipIf(!hasDialogues)("the shared dialogues (skipped without ../shared/data)", () => {
  it("move into SQLite whole: verify is green and a second apply changes nothing; a new turn works on a moved thread", { timeout: 900_000 }, async () => {
    writeTables(join(folder, "old"), await dialogueTables());
    expect(await cli("plan")).toMatchObject({ contexts: { count: 2098 }, expected: { items: 38_768, executions: 19_384, calls: 6_027 }, rejects: { count: 0 } });
    expect(await cli("apply")).toMatchObject({ changed: 2098 });
    rmSync(join(folder, "artifacts/journal.jsonl"));
    expect(await cli("apply")).toMatchObject({ changed: 0, unchanged: 2098 });
    expect(await cli("verify")).toMatchObject({ ok: true, found: { items: 38_768, executions: 19_384, calls: 6_027 } });

    const store = await sqliteStore({ path: join(folder, "desk.sqlite") });
    const seen: number[] = [];
    const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [(input) => { seen.push(input.transcript.length); return { text: "Welcome back." }; }], repeatLast: true }) });
    const engine = createEngine({ store, threads: [desk] });
    const result = await (await engine.react(desk, { id: "again", text: "Me again" }, { address: { key: "1_00000" } })).result;
    expect(result).toMatchObject({ status: "completed", text: "Welcome back." });
    expect(seen).toEqual([13]);
    await engine.close();
    await store.close();
    expect(await cli("verify")).toMatchObject({ ok: true });
  });
});
