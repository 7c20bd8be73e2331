import { join } from "node:path";
import { canonicalJson } from "@hebra/core";
import type { ContextBundle, ThreadStore } from "@hebra/thread";
import { verifyGraph } from "@hebra/thread/testing";
import { sample } from "@hebra/test-servers/sample";
import { beforeAll, describe, expect, it } from "vitest";
import { catchUpTo, conversationId, stages, takeIn, writeOldRows, type Folders, type Stage } from "./conversation.ts";
import { crashFixture, PATIENCE, type CrashFixture } from "./crash.fixture.ts";
import { miss } from "./harness.ts";
import { start, twoAtATime, type Ended } from "./processes.ts";
import { readRecords, type Line } from "./records.ts";
import { apart, openStore, type StoreConfig } from "./stores.ts";

const moments = ["before", "during", "after"] as const;
/**
 * Each catch-up takes the lease, writes once, and gives the lease back. What of it is in the store when the process
 * dies at a point?
 */
const pointsOf = (stage: Stage): { label: string; left: "nothing" | "all" | "either" }[] => [
  ...moments.map((moment) => ({ label: `takeLease 1 ${moment}`, left: "nothing" as const })),
  ...moments.map((moment, i) => ({
    label: `${stage === "whole" ? "import" : "commit"} 1 ${moment}`,
    left: (["nothing", "either", "all"] as const)[i]!,
  })),
  ...moments.map((moment) => ({ label: `releaseLease 1 ${moment}`, left: "all" as const })),
];

/** What the catch-ups of one file share. */
interface Setting extends Pick<CrashFixture, "directory" | "program"> {
  folders: Folders;
}

let files = 0;
async function run(
  { directory, program, folders }: Setting,
  config: StoreConfig,
  stage: Stage,
  stopAt?: string,
): Promise<{ ended: Ended; lines: Line[] }> {
  const records = join(directory, `${++files}.jsonl`);
  const job = {
    run: "catch-up",
    store: config,
    records,
    rows: folders[stage],
    ...(stopAt !== undefined && { stopAt }),
  } as const;
  const ended = await start(program(), job, () => Promise.resolve()).ended;
  return { ended, lines: readRecords(records) };
}

/** The rows one by one, all but the number of the lease under which they were written. */
async function rowsOf(store: ThreadStore): Promise<string[]> {
  const bundle = await store.export("default", conversationId);
  if (bundle === undefined) return [];
  const whole: ContextBundle = { ...bundle, context: { ...bundle.context, fence: 0 } };
  return Object.entries(whole)
    .flatMap(([table, rows]) => [rows].flat().map((row) => `${table} ${canonicalJson(row)}`))
    .sort();
}

/** A place in which everything before a stage has happened. */
async function place(
  { folders }: Setting,
  config: StoreConfig,
  name: string,
  stage: Stage,
): Promise<{ config: StoreConfig; store: ThreadStore }> {
  const own = apart(config, name);
  const store = await openStore(own);
  const before = stages[stages.indexOf(stage) - 1];
  if (before !== undefined) await catchUpTo(before, folders, store);
  return { config: own, store };
}

/** A catch-up that nobody disturbs: its points, and the rows before and after it. */
async function undisturbed(setting: Setting, config: StoreConfig, stage: Stage) {
  const at = await place(setting, config, stage, stage);
  const before = await rowsOf(at.store);
  const { ended, lines } = await run(setting, at.config, stage);
  expect(ended, ended.complaint).toMatchObject({ done: true });
  const after = await rowsOf(at.store);
  await at.store.close();
  return { points: lines.flatMap((line) => (line.event === "point" ? [line.label] : [])), before, after };
}

/** How many of the points a run kills at, unless it is a soak. */
const SAMPLE = 8;

/** Kills catch-ups at their write points over one store, and does them again. */
export function killedCatchUp(kind: StoreConfig["kind"]): void {
  const { directory, program, storeOf } = crashFixture(`caught_${kind}`);
  const config = storeOf(kind);
  let folders: Folders;
  beforeAll(async () => {
    folders = await writeOldRows(directory);
  });
  const setting = (): Setting => ({ directory, program, folders });

  describe(`a catch-up that is killed at each of its writes over ${kind}`, () => {
    it.skipIf(config === undefined)(
      "has written all of it or nothing; done again, the rows are those of one that was not killed",
      async () => {
        const clean = new Map<Stage, Awaited<ReturnType<typeof undisturbed>>>();
        for (const stage of stages) {
          clean.set(stage, await undisturbed(setting(), config!, stage));
          expect(clean.get(stage)!.points).toEqual(pointsOf(stage).map(({ label }) => label));
          expect(clean.get(stage)!.after).not.toEqual(clean.get(stage)!.before);
        }
        const all = stages.flatMap((stage) =>
          pointsOf(stage).map((point, i) => ({ ...point, stage, own: `${stage}${i}` })),
        );
        const chosen = sample(`catch-up over ${kind}`, all, SAMPLE);
        const missed = (
          await twoAtATime(chosen, async ({ stage, label, left, own }) => {
            const at = await place(setting(), config!, own, stage);
            const { before, after } = clean.get(stage)!;
            const allowed = { nothing: [before], all: [after], either: [before, after] }[left];
            try {
              const killed = await run(setting(), at.config, stage, label);
              expect(allowed.map((rows) => ({ stage, label, rows }))).toContainEqual({
                stage,
                label,
                rows: await rowsOf(at.store),
              });

              const again = await run(setting(), at.config, stage);
              expect(again.ended, again.ended.complaint).toMatchObject({ done: true });
              expect({ stage, label, rows: await rowsOf(at.store) }).toEqual({ stage, label, rows: after });
              expect(verifyGraph((await at.store.export("default", conversationId))!, { settled: true })).toEqual([]);
              expect([await takeIn(setting().folders[stage], at.store), await rowsOf(at.store)]).toEqual([
                false,
                after,
              ]);
              return miss({ label, ...killed });
            } finally {
              await at.store.close();
            }
          })
        ).flatMap((one) => one ?? []);
        console.log(
          `${kind}: ${chosen.length} of ${all.length} write points of a catch-up, ${chosen.length - missed.length} hit`,
        );
        expect(missed).toEqual([]);
      },
      PATIENCE,
    );
  });

  describe.skipIf(config === undefined)("a point that there is not", () => {
    it(
      "is seen to be missed",
      async () => {
        const at = await place(setting(), config!, "missed", "whole");
        await at.store.close();
        expect(
          miss({ label: "import 2 before", ...(await run(setting(), at.config, "whole", "import 2 before")) }),
        ).toMatch(/import 2 before/);
      },
      PATIENCE,
    );
  });
}
