/** The options that commands take, as the help and the parser know them. */
export const optionTable = {
  source: { type: "string", argument: "DIR", help: "folder of the old engine's rows: one <entity>.jsonl each" },
  target: { type: "string", argument: "FILE", help: "SQLite file of the thread store" },
  tenant: { type: "string", argument: "NAME", help: 'whose threads they are (default "default")' },
  out: {
    type: "string",
    argument: "DIR",
    help: 'where plan.lock.json, rejects.jsonl and journal.jsonl go (default "artifacts")',
  },
  "max-rejects": {
    type: "string",
    argument: "N",
    help: "rows that may stay behind (default 0: one stops the run before it writes)",
  },
  json: { type: "boolean", help: "one JSON document on standard output, for machines" },
  help: { type: "boolean", short: "h", help: "this text" },
} as const;

/** One option's name. */
export type OptionName = keyof typeof optionTable;

/** A command as the help and the dispatcher know it. */
export interface Command {
  summary: string;
  options: readonly OptionName[];
  example: string;
}

/** What `hebra-migrate` can do. */
export const commands = {
  plan: {
    summary: "Reads the source, writes nothing to the target, and pins what a move would do.",
    options: ["source", "target", "tenant", "out", "json"],
    example: "hebra-migrate plan --source ./export --target ./desk.sqlite",
  },
  apply: {
    summary: "Carries out the pinned plan. Cut off and started again it ends the same; done twice it changes nothing.",
    options: ["source", "target", "tenant", "out", "max-rejects", "json"],
    example: "hebra-migrate apply --source ./export --target ./desk.sqlite",
  },
  verify: {
    summary: "Compares the target with the source: counts, links, order and every field.",
    options: ["source", "target", "tenant", "json"],
    example: "hebra-migrate verify --source ./export --target ./desk.sqlite",
  },
} as const satisfies Record<string, Command>;

/** A command's name. */
export type CommandName = keyof typeof commands;

/** The exit codes, the same for every command. */
export const exitCodes = {
  ok: 0,
  internal: 1,
  usage: 2,
  approval: 3,
  drift: 4,
  mismatch: 5,
  paused: 6,
  rejects: 7,
} as const;

/** The help of one command, or of all. */
export function helpText(name?: CommandName): string {
  if (name === undefined) {
    const list = Object.entries(commands).map(([command, { summary }]) => `  ${command.padEnd(8)}${summary}`);
    return [
      "hebra-migrate moves a live product's conversations from the old engine's rows to threads.",
      "",
      "Usage: hebra-migrate <command> [options]",
      "",
      ...list,
      "",
      "The usual order: plan, read the plan and its rejects, apply, verify.",
      "Exit codes: 0 done, 1 internal error, 2 wrong usage or missing plan, 4 drift since the plan,",
      "            5 target differs, 6 stopped, 7 too many rejected rows.",
      "",
      "hebra-migrate <command> --help tells more.",
    ].join("\n");
  }
  const { summary, options, example }: Command = commands[name];
  const lines = [...options, "help" as const].map((option) => {
    const entry = optionTable[option];
    const left = `--${option}${"argument" in entry ? ` ${entry.argument}` : ""}`;
    return `  ${left.padEnd(20)}${entry.help}`;
  });
  return [summary, "", `Usage: hebra-migrate ${name} [options]`, "", ...lines, "", `Example: ${example}`].join("\n");
}
