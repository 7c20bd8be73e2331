/** The options that commands take, as the help and the parser know them. */
export const optionTable = {
  config: { type: "string", argument: "FILE", help: "JSON: bus, locks, store and the rest (default: everything local)" },
  app: { type: "string", argument: "MODULE", help: "exports `threads`, and if need be `channels`, `route`, `reply`, `jobs`" },
  concurrency: { type: "string", argument: "N", help: "conversations at once (default 10)" },
  port: { type: "string", argument: "N", help: "serve the HTTP channel here" },
  probes: { type: "string", argument: "N", help: "serve /healthz, /readyz and /stats here" },
  host: { type: "string", argument: "ADDRESS", help: "where both listen (default 127.0.0.1)" },
  id: { type: "string", argument: "NAME", help: 'the gateway\'s id (default "main")' },
  "no-worker": { type: "boolean", help: "no worker in this process: others must run" },
  deadline: { type: "string", argument: "MS", help: "time for what is under way (default 30000)" },
  replay: { type: "string", argument: "ID", help: "put this dead letter back into its mailbox" },
  discard: { type: "string", argument: "ID", help: "drop this dead letter for good" },
  show: { type: "string", argument: "ID", help: "one dead letter, whole" },
  limit: { type: "string", argument: "N", help: "how many to list (default 50)" },
  apply: { type: "boolean", help: "bring the tables to this build's version; they only ever gain" },
  json: { type: "boolean", help: "JSON on standard output, for machines" },
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

/** What `hebra` can do. */
export const commands = {
  gateway: {
    summary: "Runs the channels, sends their replies, and works too unless told otherwise. Ends cleanly on SIGTERM.",
    options: ["config", "app", "id", "port", "host", "probes", "no-worker", "concurrency", "deadline", "json"],
    example: "hebra gateway --config hebra.json --app ./app.js --port 8080 --probes 9090",
  },
  worker: {
    summary: "Runs turns. Start as many as the load needs. Ends cleanly on SIGTERM.",
    options: ["config", "app", "concurrency", "host", "probes", "deadline", "json"],
    example: "hebra worker --config hebra.json --app ./app.js --probes 9090",
  },
  drain: {
    summary: "Waits until nothing is queued and nothing is under way. Stop the intake first. Exit code 3 when the time is over.",
    options: ["config", "deadline", "json"],
    example: "hebra drain --config hebra.json --deadline 120000",
  },
  "dead-letters": {
    summary: "Lists what was given up, newest first; shows, replays or discards one.",
    options: ["config", "limit", "show", "replay", "discard", "json"],
    example: "hebra dead-letters --config hebra.json --replay 01HF",
  },
  stats: {
    summary: "Depth, oldest age, in flight and dead letters of both directions.",
    options: ["config", "json"],
    example: "hebra stats --config hebra.json",
  },
  migrations: {
    summary: "Says where PostgreSQL's tables stand, or brings them to this build's version: a step before a deploy. Exit code 3 while some are pending.",
    options: ["config", "apply", "json"],
    example: "hebra migrations --config hebra.json --apply",
  },
} as const satisfies Record<string, Command>;

/** A command's name. */
export type CommandName = keyof typeof commands;

/** The exit codes, the same for every command. */
export const exitCodes = { ok: 0, internal: 1, usage: 2, unfinished: 3 } as const;

/** The help of one command, or of all. */
export function helpText(name?: CommandName): string {
  if (name === undefined) {
    const list = Object.entries(commands).map(([command, { summary }]) => `  ${command.padEnd(14)}${summary}`);
    return ["hebra runs conversations: in one process, or with gateways and workers over a shared bus.", "", "Usage: hebra <command> [options]", "", ...list, "", "Exit codes: 0 done, 1 internal error, 2 wrong usage or configuration, 3 not finished.", "", "hebra <command> --help tells more."].join("\n");
  }
  const { summary, options, example }: Command = commands[name];
  const lines = [...options, "help" as const].map((option) => {
    const entry = optionTable[option];
    const left = `--${option}${"argument" in entry ? ` ${entry.argument}` : ""}`;
    return `  ${left.padEnd(20)}${entry.help}`;
  });
  return [summary, "", `Usage: hebra ${name} [options]`, "", ...lines, "", `Example: ${example}`].join("\n");
}
