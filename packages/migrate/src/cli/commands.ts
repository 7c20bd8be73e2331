import { defineCommand, type Call, type Command, type CommandTable } from "@hebra/cli-kit";
import type { CliOptions, CommandName } from "./migrate-with.ts";

const source = {
  argument: "DIR",
  help: "folder with one <name>.jsonl for each entity or table; with --mapping also env:NAME, a variable that holds a Postgres URL",
};
const mapping = {
  argument: "FILE",
  help: "mapping of your own tables: ui-messages, openai-messages, chatgpt-export, a JSON file, or a module that exports `mapping` or a default",
};
const target = { argument: "FILE", help: "SQLite file of the thread store" };
const tenant = { argument: "NAME", help: "the tenant of the threads", default: "default" };
const out = {
  argument: "DIR",
  help: "folder of plan.lock.json, rejects.jsonl, notes.jsonl and journal.jsonl",
  default: "artifacts",
};
const json = { help: "one JSON document on standard output, for programs" };

const run = (name: CommandName) => async (call: Call<CliOptions>) =>
  (await import("./migrate-with.ts")).migrateWith(name, call);

const examples = (prefix: string, name: CommandName): Command["examples"] => [
  [`${prefix}${name} --source ./export --target ./desk.sqlite`, "from ./export into ./desk.sqlite"],
];

/** The commands; `prefix` is what stands before them in examples. */
export const migrateTable = (prefix: string): CommandTable => ({
  plan: defineCommand({
    summary: "Reads the source, writes nothing to the target, and pins what a move would do.",
    options: { source, mapping, target, tenant, out, json },
    details: [
      "The usual order is plan, read the plan and its rejects, apply, verify. It exits with 2 when nothing would be moved, and names the fields that are missing.",
    ],
    examples: examples(prefix, "plan"),
    run: run("plan"),
  }),
  apply: defineCommand({
    summary: "Carries out the pinned plan.",
    options: {
      source,
      mapping,
      target,
      tenant,
      out,
      "max-rejects": {
        argument: "N",
        help: "rows that may stay behind; one more stops the run before it writes",
        default: "0",
      },
      json,
    },
    details: [
      "Interrupted and started again it ends the same; run twice it changes nothing. It exits with 4 when the source, the mapping or the target changed since the plan, and with 7 when too many rows are rejected.",
    ],
    examples: examples(prefix, "apply"),
    run: run("apply"),
  }),
  verify: defineCommand({
    summary: "Compares the target with the source: counts, links, order and every field.",
    options: { source, mapping, target, tenant, json },
    details: ["It exits with 5 when something differs, and names the first difference."],
    examples: examples(prefix, "verify"),
    run: run("verify"),
  }),
});
