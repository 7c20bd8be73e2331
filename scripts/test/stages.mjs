import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sourceCommand } from "../lib/example.mjs";
import { root } from "../lib/paths.mjs";
import { run } from "../lib/run.mjs";
import { one, sum, tallyOfFile, tallyOfVitest } from "./tally.mjs";

/**
 * @typedef {import("./tally.mjs").Tally} Tally
 * @typedef {{ scratch: string, tarballs: string }} StageContext directories for this run
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} title
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

/** @type {readonly Stage[]} */
export const stages = [
  { name: "workspace", title: "sherif: versions and manifests agree", run: () => check(bin("sherif"), []) },
  { name: "format", title: "oxfmt: one layout", run: () => check(bin("oxfmt"), ["--check", "."]) },
  {
    name: "lint",
    title: "eslint: style and dependency direction",
    run: () => check(bin("eslint"), [".", "--max-warnings", "0"]),
  },
  { name: "types", title: "tsc -b", run: () => check(bin("tsc"), ["-b"]) },
  {
    name: "unit",
    title: "vitest: all projects",
    run: async ({ scratch }) => {
      const report = join(scratch, "vitest.json");
      const result = await run(bin("vitest"), [
        "run",
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${report}`,
      ]);
      return tallyOfFile(report, result.ok, tallyOfVitest);
    },
  },
  { name: "unused", title: "knip: no dead files, exports or dependencies", run: () => check(bin("knip"), []) },
  {
    name: "build",
    title: "tsup: build every package",
    run: async () =>
      one((await run("pnpm", ["-r", "--filter", "./packages/*", "run", "build"], { output: "quiet" })).ok),
  },
  {
    name: "pack",
    title: "pack every package",
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
    needs: ["pack"],
    run: (context) => program("preflight", "ship/preflight.ts", context, ["--tarballs", context.tarballs]),
  },
  {
    name: "publint",
    title: "publint --strict on the tarballs",
    needs: ["pack"],
    run: (context) =>
      eachTarball(context, (tarball) => ({ command: bin("publint"), args: ["run", tarball, "--strict"] })),
  },
  {
    name: "resolution",
    title: "attw --profile esm-only on the tarballs",
    needs: ["pack"],
    run: (context) =>
      eachTarball(context, (tarball) => ({ command: bin("attw"), args: [tarball, "--profile", "esm-only"] })),
  },
  {
    name: "packed",
    title: "import the tarballs, with and without optional peers",
    needs: ["pack"],
    run: (context) => program("packed", "packed/main.ts", context, ["--tarballs", context.tarballs]),
  },
  { name: "examples", title: "run every example", run: (context) => program("examples", "examples.mjs", context) },
];
