import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootstrap } from "../bootstrap.mjs";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { seconds } from "../lib/log.mjs";
import { stopCommands } from "../lib/run.mjs";
import { startServers } from "../servers/servers.mjs";
import { runStages, summary } from "./run-stages.mjs";
import { describeSlices, judgeSlices } from "./slices.mjs";
import { stages } from "./stages.mjs";
import { closingLine } from "./tally.mjs";

const help = `Runs everything that has to hold, on a machine with Node.js and npm alone.

  npm test                              everything
  npm test -- --only lint,types         these stages (and what they need)
  npm test -- --list                    the stages
  npm run soak                          the stage that runs only when it is asked for

REDIS_URL and DATABASE_URL name servers to use instead of throw-away ones.`;

/**
 * @param {string | undefined} only
 */
function chosen(only) {
  if (only === undefined) return stages.filter((stage) => stage.onDemand !== true);
  const names = new Set(only.split(","));
  for (const stage of [...stages].reverse()) if (names.has(stage.name)) stage.needs?.forEach((name) => names.add(name));
  const unknown = [...names].filter((name) => stages.every((stage) => stage.name !== name));
  if (unknown.length > 0)
    throw new Error(
      `There is no stage ${unknown.join(", ")}; there is ${stages.map((stage) => stage.name).join(", ")}.`,
    );
  return stages.filter((stage) => names.has(stage.name));
}

/** @returns {Promise<number>} the exit code */
export async function main() {
  const { values } = parseArgs({
    options: { only: { type: "string" }, list: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help || values.list) {
    console.log(values.help ? help : stages.map((stage) => `${stage.name.padEnd(12)}${stage.title}`).join("\n"));
    return 0;
  }
  const selection = chosen(values.only);
  const start = performance.now();
  await bootstrap();

  const scratch = temporaryDirectory("test");
  /** @type {import("../servers/servers.mjs").Servers | undefined} */
  let servers;
  /** @type {Promise<void> | undefined} */
  let cleaning;
  const clean = () => {
    cleaning ??= (async () => {
      stopCommands();
      await servers?.stop();
      removeDirectory(scratch);
    })();
    return cleaning;
  };
  for (const [signal, code] of /** @type {const} */ ([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])) {
    process.on(signal, () => void clean().finally(() => process.exit(code)));
  }

  try {
    if (selection.some((stage) => stage.servers === true)) {
      servers = await startServers();
      Object.assign(process.env, servers.env);
      console.log(`servers: ${servers.summary}`);
    }
    const outcomes = await runStages(selection, { scratch, tarballs: join(scratch, "tarballs") }, console.log);
    const slices = judgeSlices(outcomes);
    const { tally, failed, tooLong } = summary(outcomes, slices);
    console.log("");
    for (const { name, milliseconds, tally: own, unmet } of outcomes) {
      console.log(
        `${name.padEnd(12)}${(unmet === undefined ? seconds(milliseconds) : "not run").padStart(9)}   ${closingLine(own)}`,
      );
    }
    console.log(`${"in all".padEnd(12)}${seconds(performance.now() - start).padStart(9)}`);
    console.log(`\nSlices, seconds against their allowance:\n${describeSlices(slices).join("\n")}`);
    if (tooLong.length > 0) console.log(`Slices that took too long: ${tooLong.join(", ")}`);
    if (failed.length > 0) console.log(`Failed stages: ${failed.join(", ")}`);
    await clean();
    console.log(closingLine(tally));
    return failed.length > 0 || tally.failed > 0 ? 1 : 0;
  } finally {
    await clean();
  }
}
