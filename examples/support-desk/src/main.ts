import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { demo } from "./demo.ts";
import { replay } from "./replay.ts";

const help = `A support desk moves from its old engine to Hebra, and back, while customers write.

  npm run demo                       the whole story, on a sample of its own
  npm run demo -- --data FILE        plays a file of dialogues (JSON lines, plain or gzipped) through the engine into SQLite
  npm run demo -- --data FILE --json the same, with its figures as one JSON document
`;

const { values } = parseArgs({ options: { data: { type: "string" }, json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } } });
const write = (text: string) => void (values.json ? process.stderr : process.stdout).write(text);

if (values.help) {
  process.stdout.write(help);
} else if (values.data === undefined) {
  await demo(fileURLToPath(new URL("../data/conversations.jsonl", import.meta.url)), write);
} else {
  const report = await replay(values.data, write);
  const { dialogues, utterances, executions, calls, emptyResults, seconds, executionsPerSecond, peakMemoryMb, fileMb } = report;
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    write(`${dialogues} conversations, ${utterances} utterances = ${utterances} items in ${executions} executions, ${calls} calls (${emptyResults} with an empty result).\n`);
    write(`Every line is in its place and every result in its call.\n`);
    write(`${Math.round(executionsPerSecond)} executions/s over ${seconds.toFixed(1)} s; peak memory ${Math.round(peakMemoryMb)} MB; the file has ${Math.round(fileMb)} MB.\n`);
  }
}
