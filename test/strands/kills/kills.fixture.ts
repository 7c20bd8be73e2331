import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seed, soak } from "@hebra/test-servers/sample";
import { verifyGraph } from "@hebra/thread/testing";
import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { bundleProgram, removeProgram } from "../../crash/processes.ts";
import { openStore } from "../../crash/stores.ts";
import { startApplication, type Application } from "./application.ts";
import { openPlace, without, type Place, type PlaceName } from "./place.ts";
import type { EffectLine } from "./program.ts";

const PATIENCE = soak ? 3_600_000 : 240_000;
const [KILLS, OUTAGES] = soak ? [300, 100] : [10, 5];
/** Milliseconds after the end of an outage within which every result must have come. */
const LIMIT_MS = 5_000;
/** What a turn takes that nobody disturbs, on a quiet machine; for each millisecond more, a loaded one gets ten. */
const QUIET_MS = 120;
const SLOWER = 10;
const KEYS = 6;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Even numbers from 0 to 1, the same for the same seed: mulberry32. Those of property tests prefer the ends. */
function dice(name: string): () => number {
  let state = (seed ^ fc.hash(name)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Kills processes of an application, and takes its database from it, and judges what became of its messages. */
export function surviveKillsAndOutages(name: PlaceName): void {
  let program = "";
  let directory = "";
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), `hebra-strands-${name}-`));
    program = await bundleProgram("program", import.meta.dirname);
  }, PATIENCE);
  afterAll(() => {
    removeProgram();
    rmSync(directory, { recursive: true, force: true });
  });

  test.skipIf(without(name) !== undefined)(
    `over ${name}, every result comes within five seconds of an outage, and no effect comes twice, whichever process is killed`,
    async () => {
      const random = dice(name);
      const effects = join(directory, "effects.jsonl");
      const place = await openPlace(name, directory);
      // The schema is applied before the application starts, as in a deployment.
      await (await openStore(place.direct)).close();
      const application = await startApplication(program, { store: place.config, effects }, random);
      try {
        const undisturbedMs = await undisturbed(application);
        const limitMs = LIMIT_MS + SLOWER * Math.max(0, undisturbedMs - QUIET_MS);
        const late = [
          ...(await kill(application, random, limitMs)),
          ...(await disturb(application, place, random, limitMs)),
        ];
        await application.close();
        const violations = [...application.wrong, ...late, ...(await judge(application, place, effects))];
        console.log(
          `${name}: ${KILLS} kills, ${OUTAGES} outages, ${application.messages.length} messages, ${violations.length} violations; every result within ${limitMs} ms (HEBRA_SEED=${seed})`,
        );
        assert.deepEqual(violations, []);
      } finally {
        await application.close();
        await place.stop();
      }
    },
    PATIENCE,
  );
}

/** @returns milliseconds that a turn takes while nothing happens */
async function undisturbed(application: Application): Promise<number> {
  const before = performance.now();
  application.send("undisturbed", "hello");
  assert.deepEqual(await application.settled(30_000), []);
  return Math.round(performance.now() - before);
}

const say = (application: Application, random: () => number, count: number) => {
  for (let i = 0; i < count; i++)
    application.send(`conversation-${Math.floor(random() * KEYS)}`, random() < 0.25 ? "refund" : "go on");
};

/** @returns what did not end in time */
async function kill(application: Application, random: () => number, limitMs: number): Promise<string[]> {
  const late: string[] = [];
  for (let i = 0; i < KILLS; i++) {
    say(application, random, 1 + Math.floor(random() * 3));
    await wait(random() * 250);
    const slot = Math.floor(random() * 2);
    await application.kill(slot);
    // Both are never away for long: one that has just begun is let come up now and then.
    if (random() < 0.5) await application.children[slot]!.ready;
    if (i % 10 === 9) late.push(...(await application.settled(limitMs)).map((one) => `after kill ${i}: ${one}`));
  }
  return late;
}

async function disturb(
  application: Application,
  { outages }: Place,
  random: () => number,
  limitMs: number,
): Promise<string[]> {
  const late: string[] = [];
  for (let i = 0; i < OUTAGES; i++) {
    await Promise.all(application.children.map(({ ready }) => ready));
    const outage = outages[i % outages.length]!;
    say(application, random, 3);
    await wait(random() * 100);
    await outage.begin();
    say(application, random, 2);
    await wait(100 + random() * 1_500);
    await outage.end();
    const open = await application.settled(limitMs + (outage.noticedMs ?? 0));
    late.push(...open.map((one) => `after "${outage.name}": ${one}`));
    if (open.length > 0) await application.settled(60_000);
  }
  return late;
}

/** Everything that must hold of the rows and the effects in the end. */
async function judge(application: Application, place: Place, effects: string): Promise<string[]> {
  const violations: string[] = [];
  const lines = readFileSync(effects, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as EffectLine);
  const store = await openStore(place.direct);
  try {
    const turns = new Map<string, string>();
    for await (const { bundle } of store.system().export()) {
      for (const { rule, id, detail } of verifyGraph(bundle, { settled: true }))
        violations.push(`${rule} ${id}: ${detail}`);
      for (const { id, status } of bundle.executions) turns.set(id, status);
      for (const { executionId, callId, effect, status, idempotencyKey } of bundle.calls) {
        const runs = lines.filter((line) => line.callId === `${executionId} ${callId}`);
        if (effect === "write" && runs.length > 1)
          violations.push(`the write ${callId} took effect ${runs.length} times`);
        if (status === "succeeded" && runs.length === 0) violations.push(`the result of ${callId} is made up`);
        if (runs.some(({ key }) => key !== idempotencyKey)) violations.push(`${callId} ran under another key`);
      }
    }
    for (const { id, executionId } of application.messages)
      if (executionId === undefined || turns.get(executionId) !== "completed")
        violations.push(`${id} was given to the application and is ${turns.get(executionId ?? "") ?? "lost"}`);
  } finally {
    await store.close();
  }
  return violations;
}
