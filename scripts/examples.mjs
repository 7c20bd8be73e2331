// Runs every example from source; each asserts for itself and exits 0.
//   pnpm examples [NAME]...
import { writeFileSync } from "node:fs";
import { argumentsOf } from "./lib/arguments.mjs";
import { exampleCommand, exampleNames } from "./lib/example.mjs";
import { seconds } from "./lib/log.mjs";
import { run } from "./lib/run.mjs";
import { one, sum } from "./test/tally.mjs";

const { values, positionals } = argumentsOf({
  options: { tally: { type: "string" }, help: { type: "boolean" } },
  allowPositionals: true,
});
const strangers = positionals.filter((name) => !exampleNames().includes(name));
if (values.help || strangers.length > 0) {
  if (strangers.length > 0) console.error(`There is no example ${strangers.join(", ")}.`);
  console.log(`pnpm examples [NAME]...\n\nRuns every example, or these: ${exampleNames().join(", ")}.`);
  process.exit(strangers.length > 0 ? 2 : 0);
}
const tallies = [];
for (const name of positionals.length > 0 ? positionals : exampleNames()) {
  const start = performance.now();
  const { command, args } = exampleCommand(name);
  const { ok } = await run(command, args, { output: positionals.length > 0 ? "show" : "quiet" });
  console.log(`${ok ? "ok" : "FAILED"} ${name} (${seconds(performance.now() - start)})`);
  tallies.push(one(ok));
}
const tally = sum(tallies);
if (values.tally !== undefined) writeFileSync(values.tally, JSON.stringify(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;
