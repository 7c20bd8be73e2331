import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { errorMessage, HebraError } from "@hebra/core";
import { demo } from "./demo.ts";
import { replay } from "./replay.ts";

const help = `A support desk moves from its old engine to Hebra, and back, while customers write.

  npm run demo                       the whole story, on a sample of its own
  npm run demo -- --data FILE        plays a file of dialogues (JSON lines, plain or gzipped) through the engine into SQLite
  npm run demo -- --data FILE --json the same, with its figures as one JSON document
`;

function options() {
  try {
    return parseArgs({
      options: {
        data: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(
      `${errorMessage(error)
        .split(/\. To specify|\n/, 1)[0]!
        .replace(/\.$/, "")}. See npm run demo -- --help.\n`,
    );
    process.exit(2);
  }
}

async function run({ data, json, help: asked }: ReturnType<typeof options>): Promise<void> {
  const write = (text: string) => void (json ? process.stderr : process.stdout).write(text);
  if (asked) return void process.stdout.write(help);
  if (data === undefined) return demo(fileURLToPath(new URL("../data/conversations.jsonl", import.meta.url)), write);
  const report = await replay(data, write);
  const { dialogues, utterances, executions, calls, emptyResults, seconds, executionsPerSecond, peakMemoryMb, fileMb } =
    report;
  if (json) return void process.stdout.write(`${JSON.stringify(report)}\n`);
  write(
    `${dialogues} conversations, ${utterances} utterances = ${utterances} items in ${executions} executions, ${calls} calls (${emptyResults} with an empty result).\n`,
  );
  write(`Every line is in its place and every result in its call.\n`);
  write(
    `${Math.round(executionsPerSecond)} executions/s over ${seconds.toFixed(1)} s; peak memory ${Math.round(peakMemoryMb)} MB; the file has ${Math.round(fileMb)} MB.\n`,
  );
}

try {
  await run(options());
} catch (error) {
  // What is ours says what happened and what to do; anything else is a fault of the demo, and its stack helps.
  if (!HebraError.isInstance(error)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
