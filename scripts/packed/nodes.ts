// Imports every packed entry under other versions of Node.js, and has each resume a turn that SIGKILL cut off and play
// turns over models of the AI SDK 7 and its provider packages.
//   tsx scripts/packed/nodes.ts --tarballs DIRECTORY [--project DIRECTORY] [--tally FILE]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argumentsOf } from "../lib/arguments.mjs";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { root } from "../lib/paths.mjs";
import { run } from "../lib/run.mjs";
import { packedEntries, readTarballs } from "../ship/tarball.ts";
import { judgeImport } from "./judge.ts";
import {
  findNode,
  judgeModelled,
  judgeResumed,
  judgeStreamed,
  newerSdk,
  otherNodes,
  programOf,
  recordedStreams,
  streamFixtures,
  type Modelled,
  type Resumed,
  type Streamed,
} from "./other-node.ts";
import { importProbe, runProbes } from "./probe.ts";
import { createProject, peersOf } from "./project.ts";

const { values } = argumentsOf({
  options: { tarballs: { type: "string" }, project: { type: "string" }, tally: { type: "string" } },
});
if (values.tarballs === undefined) throw new Error("--tarballs DIRECTORY is needed");

const tarballs = readTarballs(values.tarballs);
const imports = tarballs.flatMap(({ manifest }) =>
  packedEntries(manifest).map(({ specifier }) => importProbe(specifier)),
);
/** Of the recorded answers, on each Node.js. */
const INTERRUPTIONS = 60;
const tally = { passed: 0, failed: 0, skipped: 0 };
function note(title: string, problem: string | undefined): void {
  tally[problem === undefined ? "passed" : "failed"] += 1;
  if (problem !== undefined) console.log(`FAILED ${title}: ${problem}`);
}

const scratch = temporaryDirectory("nodes");
try {
  const project = values.project ?? join(scratch, "project");
  const found = otherNodes.map((major) => findNode(major));
  const there = found.flatMap((one) => ("command" in one ? [one] : []));
  if (there.length > 0 && !existsSync(project))
    await createProject(project, tarballs, peersOf(tarballs, { optional: true }));
  const newer = join(scratch, "newer-sdk");
  const recordings = recordedStreams();
  if (recordings === undefined)
    console.log("skipped the recorded answers, which need ../shared/suites/provider-streams");
  if (there.length > 0)
    await createProject(newer, tarballs, {
      ...peersOf(tarballs, { optional: false }),
      ...newerSdk(),
      zod: zodVersion(),
    });
  for (const one of found) {
    if ("absent" in one) {
      tally.skipped += 1;
      console.log(`skipped Node.js ${one.major}: ${one.absent}`);
    }
  }
  for (const { major, command } of there) {
    const results = await runProbes(project, imports, command);
    imports.forEach((probe, index) => note(`${probe.title} on Node.js ${major}`, judgeImport(results[index])));
    note(`a turn that is cut off and resumed on Node.js ${major}`, await crash(project, major, command));
    note(`turns over a model of the AI SDK 7 on Node.js ${major}`, await model(newer, major, command));
    if (recordings === undefined) tally.skipped += 1;
    else
      note(`recorded answers over the AI SDK 7 on Node.js ${major}`, await streams(newer, major, command, recordings));
    console.log(
      `Node.js ${major}: ${imports.length} entries, a turn that was cut off and resumed, and turns over ai ${newerSdk()["ai"]}`,
    );
  }
} finally {
  removeDirectory(scratch);
}
if (values.tally !== undefined) writeFileSync(values.tally, JSON.stringify(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;

/** @returns what is wrong, if anything */
async function crash(project: string, major: number, command: string): Promise<string | undefined> {
  writeFileSync(join(project, "crash.mjs"), programOf("crash.mjs"));
  const play = (what: string) =>
    run(command, ["crash.mjs", what, join(scratch, `desk-${major}.sqlite`)], {
      cwd: project,
      output: "capture",
      env: { PATH: process.env["PATH"] },
    });
  const cutOff = await play("cut-off");
  if (!cutOff.output.includes("ended by SIGKILL")) return `it was not cut off: ${cutOff.output}`;
  const { ok, output } = await play("resume");
  return ok ? judgeResumed(major, JSON.parse(output) as Resumed) : `it was not resumed: ${output}`;
}

/** @returns what is wrong, if anything */
async function model(project: string, major: number, command: string): Promise<string | undefined> {
  writeFileSync(join(project, "model.mjs"), programOf("model.mjs"));
  const { ok, output } = await run(command, ["model.mjs"], {
    cwd: project,
    output: "capture",
    env: { PATH: process.env["PATH"] },
  });
  return ok ? judgeModelled(major, JSON.parse(output) as Modelled) : `they did not run: ${output}`;
}

/** @returns what is wrong, if anything */
async function streams(
  project: string,
  major: number,
  command: string,
  recordings: string,
): Promise<string | undefined> {
  for (const folder of ["nodes", "provider-streams"]) mkdirSync(join(project, folder), { recursive: true });
  const program = join("nodes", "streams.mjs");
  writeFileSync(join(project, program), programOf("streams.mjs"));
  for (const { name, source } of streamFixtures) writeFileSync(join(project, "provider-streams", name), source);
  const { ok, output } = await run(command, ["--no-warnings", program, recordings, String(INTERRUPTIONS)], {
    cwd: project,
    output: "capture",
    env: { PATH: process.env["PATH"] },
  });
  return ok ? judgeStreamed(major, JSON.parse(output) as Streamed) : `they did not run: ${output}`;
}

/** The fixtures make schemas. */
function zodVersion(): string {
  const manifest = join(root, "packages", "core", "node_modules", "zod", "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
