/**
 * `pnpm chaos`: three worker processes, fifty users, and everything that goes wrong with them. The verdict comes from
 * the
 * store, from the channel, and from a log that the workers write themselves. See docs/guide/chaos.md.
 */
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createBars } from "./bars.ts";
import { createBuilds } from "./build.ts";
import { deepBacklog } from "./deep-backlog.ts";
import { deepTenant } from "./deep-tenant.ts";
import { playDialogues } from "./dialogues.ts";
import { changedKeys, lastingKeys } from "./keys.ts";
import { checkModel } from "./model.ts";
import { phases, playPhase } from "./phases.ts";
import { printBars, printPhase, printScaling, printPart } from "./print.ts";
import { parts, proxiedParts, stageParts } from "./parts.ts";
import type { PhaseReport } from "./records.ts";
import { replicaGone } from "./replica-gone.ts";
import { scale, type ScalingReport } from "./scaling.ts";
import { openStage, type Stage } from "./stage.ts";
import { talk } from "./talk.ts";

const WORKERS = 3;
const USERS = 50;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    json: { type: "string" },
    only: { type: "string" },
    dialogues: { type: "string" },
    seed: { type: "string" },
    verbose: { type: "boolean" },
  },
});
const quick = values.quick === true;
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const dialogueCount = values.dialogues === "all" ? Infinity : Number(values.dialogues ?? (quick ? 40 : 300));
const onOneStage = [...stageParts, "deep-tenant", "dialogues", "scaling"];
const only =
  values.only?.split(",") ??
  parts.filter((name) => !quick || phases.find((phase) => phase.name === name)?.long !== true);
const unknown = only.filter((name) => !parts.includes(name));
if (unknown.length > 0 || Number.isNaN(seed) || Number.isNaN(dialogueCount)) {
  console.error(
    `${unknown.length > 0 ? `There is no part ${unknown.join(", ")}. ` : ""}Parts: ${parts.join(", ")}. --seed and --dialogues take a number, --dialogues also \`all\`.`,
  );
  process.exit(2);
}

const bars = createBars();
const reports: PhaseReport[] = [];
let scaling: ScalingReport[] = [];
const startedAt = performance.now();
const tell = (report: PhaseReport) => {
  reports.push(report);
  printPhase(report);
};

if (only.includes("model")) printPart("model", await checkModel(seed, quick ? 30 : 200, bars));
const builds = createBuilds();
let current: Stage | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(
    signal,
    () =>
      void Promise.resolve(current?.close())
        .finally(() => builds.remove())
        .finally(() => process.exit(130)),
  );
const anyOf = (list: readonly string[]) => list.some((name) => only.includes(name));
let storeName = "none";

/** Opens a stage, lets its users talk once, and closes it whatever happens. */
async function onStage(proxied: boolean, play: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await openStage({
    users: USERS,
    workers: WORKERS,
    quick,
    verbose: values.verbose === true,
    builds,
    proxied,
  });
  current = stage;
  try {
    // Code that has never run is slow, and no fault.
    await talk(stage, { name: "warm-up", users: USERS, each: 2, everyMs: 1_000 });
    await stage.quiet(30_000);
    const keysBefore = await lastingKeys(stage.redis.admin);
    const own: readonly string[] = proxied ? proxiedParts : stageParts;
    for (const phase of phases)
      if (only.includes(phase.name) && own.includes(phase.name)) tell(await playPhase(stage, phase, bars));
    await play(stage);
    await stage.quiet(10_000);
    bars.none("dead-letters", (await stage.runtime.bus.stats()).dead, "messages");
    // Threads that are kept in Redis stay.
    if (proxied) return;
    const changed = changedKeys(keysBefore, await lastingKeys(stage.redis.admin));
    bars.none("keys-left", changed.length, "keys");
    if (changed.length > 0) printPart("keys", changed.slice(0, 10).join(", "));
  } finally {
    current = undefined;
    await stage.close();
  }
}

try {
  if (anyOf(onOneStage))
    await onStage(false, async (stage) => {
      storeName = stage.store.name;
      if (only.includes("dialogues")) {
        const report = await playDialogues(stage, dialogueCount, bars);
        if (report !== undefined) tell(report);
      }
      if (only.includes("deep-tenant")) {
        printPart("deep-tenant", await deepTenant(stage, quick ? 400 : 8_000, bars));
        bars.none("unsettled", (await stage.quiet(180_000)) ? 0 : 1, "phases");
        stage.hurry(false);
      }
      if (only.includes("scaling")) printScaling((scaling = await scale(stage, bars)));
    });
  if (anyOf(proxiedParts)) await onStage(true, async () => {});
  if (anyOf(["deep-backlog", "replica-gone"])) {
    const present = await builds.release("present");
    const library = (await import(pathToFileURL(present.library).href)) as typeof import("./library.ts");
    if (only.includes("deep-backlog"))
      printPart("deep-backlog", await deepBacklog(library, quick ? 10_000 : 100_000, bars));
    if (only.includes("replica-gone")) printPart("replica-gone", await replicaGone(library, quick, bars));
  }
} finally {
  builds.remove();
}

printBars(bars.all);
console.log(`${Math.round((performance.now() - startedAt) / 1_000)} s, ${bars.correct() ? "correct" : "NOT CORRECT"}`);
const versions = { node: process.version, store: storeName };
const verdict = {
  area: "chaos",
  at: new Date().toISOString(),
  versions,
  workers: WORKERS,
  users: USERS,
  quick,
  seed,
  phases: reports,
  scaling,
  verdict: bars.all,
};
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(verdict, null, 2)}\n`);
if (!bars.correct()) process.exitCode = 1;
