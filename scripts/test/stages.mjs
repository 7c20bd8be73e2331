import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceCommand } from "../lib/example.mjs";
import { root } from "../lib/paths.mjs";
import { run } from "../lib/run.mjs";
import { describeSkipped, skippedOfVitest } from "./skipped.mjs";
import { one, sum, tallyOfFile, tallyOfVitest } from "./tally.mjs";

/**
 * @typedef {import("./tally.mjs").Tally} Tally
 * @typedef {{ scratch: string, tarballs: string }} StageContext directories for this run
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} title
 * @property {import("./slices.mjs").SliceName} [slice] what its time counts against
 * @property {boolean} [onDemand] whether it runs only when it is asked for by name
 * @property {boolean} [servers] whether it uses Redis and PostgreSQL
 * @property {readonly string[]} [needs] stages without which this one says nothing
 * @property {(context: StageContext) => Promise<Tally>} run
 */

const bin = (/** @type {string} */ name) => join(root, "node_modules", ".bin", name);

/** @param {string} command @param {readonly string[]} args */
const check = async (command, args) => one((await run(command, args)).ok);

/** @param {StageContext} context */
const tarballs = ({ tarballs: directory }) =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".tgz"))
    .sort()
    .map((name) => join(directory, name));

/**
 * Runs a tool on each tarball: a check each.
 *
 * @param {StageContext} context
 * @param {(tarball: string) => { command: string, args: string[] }} tool
 */
async function eachTarball(context, tool) {
  const waiting = tarballs(context);
  if (waiting.length === 0) return one(false);
  /** @type {Tally[]} */
  const tallies = [];
  const work = async () => {
    for (let tarball = waiting.shift(); tarball !== undefined; tarball = waiting.shift()) {
      const { command, args } = tool(tarball);
      tallies.push(one((await run(command, args, { output: "quiet" })).ok));
    }
  };
  await Promise.all([work(), work()]);
  return sum(tallies);
}

/**
 * Runs one of the TypeScript programs of this folder's neighbours, which writes its own tally.
 *
 * @param {string} name of the stage
 * @param {string} file relative to scripts/
 * @param {StageContext} context
 * @param {string[]} [more]
 */
async function program(name, file, context, more = []) {
  const tally = join(context.scratch, `${name}.json`);
  const { command, args } = sourceCommand(join(root, "scripts", file), join(root, "package.json"));
  const result = await run(command, [...args, "--tally", tally, ...more]);
  return tallyOfFile(tally, result.ok);
}

/**
 * Runs the tests of some projects of vitest.config.ts, and says what was skipped.
 *
 * @param {string} name of the stage
 * @param {readonly string[]} projects
 * @param {StageContext} context
 * @param {{ files?: readonly string[], env?: NodeJS.ProcessEnv }} [options]
 */
async function tests(name, projects, { scratch }, { files = [], env = {} } = {}) {
  const report = join(scratch, `${name}.vitest.json`);
  const result = await run(
    bin("vitest"),
    [
      "run",
      ...files,
      ...projects.map((project) => `--project=${project}`),
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ],
    { env: { ...process.env, ...env } },
  );
  const tally = tallyOfFile(report, result.ok, tallyOfVitest);
  if (existsSync(report))
    for (const line of describeSkipped(skippedOfVitest(readFileSync(report, "utf8")))) console.log(line);
  return tally;
}

/**
 * The tarballs, and a project that has them and their peers: whichever stage needs it first creates it.
 *
 * @param {StageContext} context
 */
const packedArguments = ({ scratch, tarballs: directory }) => [
  "--tarballs",
  directory,
  "--project",
  join(scratch, "packed"),
];

/** What draws a sample with `@hebra/test-servers/sample`. */
export const sampled = [
  "test/crash/killed.",
  "test/crash/catch-up.",
  "packages/migrate/src/run/killed.test.ts",
  "packages/hebra/src/cli/to-local.killed.test.ts",
  "packages/hebra/src/cli/to-shared.killed.test.ts",
  "test/provider-streams/interrupted.test.ts",
  "test/flags-runtime/",
  "test/strands/",
  "packages/thread/src/engine/prompt-budget.test.ts",
  "packages/flags/src/rollout/simulate/null-rollouts.test.ts",
  "packages/flags/src/rollout/simulate/harm.test.ts",
];

/** @type {readonly Stage[]} */
export const stages = [
  {
    name: "workspace",
    title: "sherif: versions and manifests agree",
    slice: "lint, types, build, pack",
    run: () => check(bin("sherif"), []),
  },
  {
    name: "format",
    title: "oxfmt: one layout",
    slice: "lint, types, build, pack",
    run: () => check(bin("oxfmt"), ["--check", "."]),
  },
  {
    name: "lint",
    title: "eslint: style and dependency direction",
    slice: "lint, types, build, pack",
    run: () => check(bin("eslint"), [".", "--max-warnings", "0", "--concurrency", "2"]),
  },
  {
    name: "types",
    title: "tsc -b",
    slice: "lint, types, build, pack",
    run: () => check(process.execPath, [join(root, "node_modules/typescript-7/bin/tsc"), "-b"]),
  },
  {
    name: "unit",
    title: "vitest: every package, and what crosses packages",
    slice: "unit and crash",
    servers: true,
    run: (context) => tests("unit", ["packages", "workspace", "timed"], context),
  },
  {
    name: "migration",
    title: "vitest: runs of the migration kit, killed and whole",
    slice: "migration",
    servers: true,
    run: (context) => tests("migration", ["migration"], context),
  },
  {
    name: "docs",
    title: "vitest: snippets, examples in comments, generated pages",
    slice: "docs",
    run: (context) => tests("docs", ["docs"], context),
  },
  {
    name: "chaos",
    title: "vitest: pnpm chaos with a worker killed and another stopped",
    slice: "chaos smoke",
    servers: true,
    run: (context) => tests("chaos", ["chaos"], context),
  },
  {
    name: "unused",
    title: "knip: no dead files, exports or dependencies",
    slice: "lint, types, build, pack",
    run: () => check(bin("knip"), []),
  },
  {
    name: "build",
    title: "tsup: build every package",
    slice: "lint, types, build, pack",
    run: async () =>
      one((await run("pnpm", ["-r", "--filter", "./packages/*", "run", "build"], { output: "quiet" })).ok),
  },
  {
    name: "pack",
    title: "pack every package",
    slice: "lint, types, build, pack",
    needs: ["build"],
    run: async ({ tarballs: directory }) => {
      mkdirSync(directory, { recursive: true });
      return one(
        (
          await run("pnpm", ["-r", "--filter", "./packages/*", "pack", "--pack-destination", directory], {
            output: "quiet",
          })
        ).ok,
      );
    },
  },
  {
    name: "preflight",
    title: "what the tarballs hold",
    slice: "ship",
    needs: ["pack"],
    run: (context) => program("preflight", "ship/preflight.ts", context, ["--tarballs", context.tarballs]),
  },
  {
    name: "ship",
    title: "vitest: releases are planned and rehearsed",
    slice: "ship",
    run: (context) => tests("ship", ["ship"], context),
  },
  {
    name: "publint",
    title: "publint --strict on the tarballs",
    slice: "lint, types, build, pack",
    needs: ["pack"],
    run: (context) =>
      eachTarball(context, (tarball) => ({ command: bin("publint"), args: ["run", tarball, "--strict"] })),
  },
  {
    name: "resolution",
    title: "attw --profile esm-only on the tarballs",
    slice: "lint, types, build, pack",
    needs: ["pack"],
    run: (context) =>
      eachTarball(context, (tarball) => ({ command: bin("attw"), args: [tarball, "--profile", "esm-only"] })),
  },
  {
    name: "packed",
    title: "import the tarballs, with and without optional peers",
    slice: "lint, types, build, pack",
    needs: ["pack"],
    run: (context) => program("packed", "packed/main.ts", context, packedArguments(context)),
  },
  {
    name: "nodes",
    title: "import the tarballs on other versions of Node.js, and resume a turn that was cut off",
    slice: "other Nodes",
    needs: ["pack"],
    run: (context) => program("nodes", "packed/nodes.ts", context, packedArguments(context)),
  },
  {
    name: "examples",
    title: "run every example",
    slice: "examples",
    servers: true,
    run: (context) => program("examples", "examples.mjs", context),
  },
  {
    name: "soak",
    title: "vitest: the tests that play a sample of their points, at every point",
    onDemand: true,
    servers: true,
    run: (context) => tests("soak", [], context, { files: sampled, env: { HEBRA_SOAK: "1" } }),
  },
];
