// Plans a release and rehearses it up to the point of publishing. See --help.
import { join } from "node:path";
import { argumentsOf } from "../lib/arguments.mjs";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { publishedPackages } from "../lib/packages.mjs";
import { root } from "../lib/paths.mjs";
import { run } from "../lib/run.mjs";
import { readChangesets } from "./changesets.ts";
import { describePreflight, preflight } from "./check-all.ts";
import { buildAndPack } from "./pack.ts";
import { planRelease, publishOrder, stepsOf, verbs, type ReleasePlan } from "./plan.ts";

const help = `Plans a release from the changesets, builds, packs, checks the tarballs and prints each step that shipping would take.

  pnpm ship:patch --dry-run [--json] [--tarballs DIRECTORY]       and ship:minor, ship:major, ship:beta

All packages share one version. The level must be at least what the changesets ask for; a beta takes their level.
Exit code 0: the packages could be shipped. 1: they could not, and the output says why. 2: not understood. A tree that is not clean, or
another branch than main, is said: shipping itself would stop there.

  --dry-run     touch nothing (publishing itself is not there yet, so this is the only way to run it)
  --json        one JSON document on stdout
  --tarballs    check the tarballs of this directory instead of building and packing
  --help        this text`;

function fail(reason: string, json: boolean): void {
  if (json) console.log(JSON.stringify({ ok: false, reason }, null, 2));
  else console.error(reason);
  process.exitCode = 1;
}

function describePlan(plan: ReleasePlan): string[] {
  return [
    `ship:${plan.verb} — the changesets ask for ${plan.asked}: ${plan.changesets.join(", ")}`,
    ...plan.packages.map(({ name, from, to }) => `  ${name.padEnd(18)}${from} -> ${to}`),
  ];
}

/** What of the working tree stands against shipping from it. */
async function unready(before: string): Promise<string[]> {
  const branch = (await run("git", ["rev-parse", "--abbrev-ref", "HEAD"], { output: "capture" })).output.trim();
  const files = before.split("\n").filter((line) => line.trim() !== "").length;
  return [
    ...(files === 0 ? [] : [`${files} files are not committed`]),
    ...(branch === "main" ? [] : [`the branch is ${branch}, not main`]),
  ];
}

const treeState = async (): Promise<string> =>
  (await run("git", ["status", "--porcelain"], { output: "capture" })).output;

async function rehearse(plan: ReleasePlan, options: { json: boolean; tarballs: string | undefined }): Promise<void> {
  const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
  describePlan(plan).forEach(say);
  const before = await treeState();
  const scratch = options.tarballs === undefined ? temporaryDirectory("ship") : undefined;
  try {
    if (scratch !== undefined) await buildAndPack(scratch, say);
    const found = preflight(options.tarballs ?? scratch ?? "");
    describePreflight(found).forEach(say);
    const obstacles = await unready(before);
    const untouched = before === (await treeState());
    const steps = stepsOf(plan);
    say("Shipping would:");
    steps.forEach(({ title, command }, index) => say(`  ${String(index + 1).padStart(2)}. ${title}\n      ${command}`));
    if (obstacles.length > 0) say(`Shipping would stop at step 1: ${obstacles.join(", ")}.`);
    say(
      untouched
        ? "Dry run: nothing was published, and the tree is as it was."
        : "Dry run: nothing was published, but the tree has changed meanwhile.",
    );
    const ok = found.problems.length === 0 && untouched;
    if (options.json)
      console.log(JSON.stringify({ ok, dryRun: true, plan, ...found, steps, untouched, obstacles }, null, 2));
    process.exitCode = ok ? 0 : 1;
  } finally {
    if (scratch !== undefined) removeDirectory(scratch);
  }
}

const { values, positionals } = argumentsOf({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
    tarballs: { type: "string" },
    help: { type: "boolean" },
  },
  allowPositionals: true,
});
const json = values.json ?? false;
const verb = verbs.find((candidate) => candidate === positionals[0]);

if (values.help) console.log(help);
else if (verb === undefined)
  fail(`Say what to ship: ${verbs.map((candidate) => `ship:${candidate}`).join(", ")}.`, json);
else if (values["dry-run"] !== true)
  fail(`Publishing is not there yet. See what it would do: pnpm ship:${verb} --dry-run`, json);
else {
  try {
    const packages = publishOrder(
      publishedPackages().map(({ manifest }) => ({
        name: manifest.name,
        version: manifest.version,
        dependencies: Object.keys(manifest.dependencies ?? {}),
      })),
    );
    const result = planRelease(verb, packages, readChangesets(join(root, ".changeset")));
    if (result.ok) await rehearse(result.plan, { json, tarballs: values.tarballs });
    else fail(result.reason, json);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), json);
  }
}
