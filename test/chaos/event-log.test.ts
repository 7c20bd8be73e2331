import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { noteAwakenings, openLog } from "./event-log.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-event-log-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Blocks this process for longer than it may stand still, then lets its timers fire. */
async function standStill(): Promise<void> {
  for (const end = performance.now() + 1_200; performance.now() < end;);
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

test("a process that stands still notes it in an open log, and writes nothing once its folder is removed [BU-14]", async () => {
  const file = join(directory, "events.log");
  const log = openLog(file);
  noteAwakenings();
  await standStill();
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ event: "awake", pid: process.pid });

  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  process.prependListener("uncaughtException", note);
  log.close();
  rmSync(directory, { recursive: true });
  await standStill();
  process.off("uncaughtException", note);
  expect(uncaught).toEqual([]);
});
