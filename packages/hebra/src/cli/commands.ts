/** The options that commands take, as the help and the parser know them. */
export const optionTable = {
  config: {
    type: "string",
    argument: "FILE",
    help: "JSON: bus, locks, store and the rest (default: everything local)",
  },
  app: {
    type: "string",
    argument: "MODULE",
    help: "exports `threads`, and if need be `channels`, `route`, `reply`, `jobs`",
  },
  concurrency: { type: "string", argument: "N", help: "conversations at once (default 10)" },
  port: { type: "string", argument: "N", help: "serve the HTTP channel here" },
  probes: { type: "string", argument: "N", help: "serve /healthz, /readyz and /stats here" },
  host: { type: "string", argument: "ADDRESS", help: "where both listen (default 127.0.0.1)" },
  id: { type: "string", argument: "NAME", help: 'the gateway\'s id (default "main")' },
  session: { type: "string", argument: "NAME", help: 'the conversation to begin with (default "main")' },
  "no-worker": { type: "boolean", help: "no worker in this process: others must run" },
  deadline: {
    type: "string",
    argument: "MS",
    help: "time for what is under way (default 30000; to-local: for all of it, 300000)",
  },
  path: { type: "string", argument: "FILE", help: "the SQLite file to be (default .hebra/threads.sqlite)" },
  out: { type: "string", argument: "FILE", help: "write the local configuration here, and leave --config as it is" },
  drain: {
    type: "string",
    argument: "MS",
    help: "time for workers to empty the bus before the rest is moved (default 60000)",
  },
  undo: { type: "boolean", help: "take back the pause of a move that has moved nothing yet" },
  replay: { type: "string", argument: "ID", help: "put this dead letter back into its mailbox" },
  discard: { type: "string", argument: "ID", help: "drop this dead letter for good" },
  show: { type: "string", argument: "ID", help: "one dead letter, whole" },
  limit: { type: "string", argument: "N", help: "how many to list (default 50)" },
  before: { type: "string", argument: "CURSOR", help: "go on behind the last list, whose end told it" },
  apply: { type: "boolean", help: "bring the tables to this build's version; they only ever gain" },
  json: { type: "boolean", help: "JSON on standard output, for machines" },
  help: { type: "boolean", short: "h", help: "this text" },
} as const;

/** One option's name. */
export type OptionName = keyof typeof optionTable;

/** A command as the help and the dispatcher know it. */
export interface Command {
  summary: string;
  /** What follows the command besides options. */
  operands?: string;
  options: readonly OptionName[];
  /** What one should know, a paragraph each. */
  details: readonly string[];
  /** Command lines that work as they stand, each with what it does. */
  examples: readonly (readonly [line: string, what: string])[];
}

const signals =
  "On SIGTERM or Ctrl-C it takes on no more, finishes what it holds, gives the rest back at --deadline, and ends with 0. A second signal ends it at once; what it held is taken up again when its lease has run out.";
const probes =
  "--probes answers /healthz (kill me when it is not 200), /readyz (send me nothing when it is not 200) and /stats.";

/** What `hebra` can do. */
export const commands = {
  gateway: {
    summary: "Runs the channels, sends their replies, and works too unless told otherwise.",
    options: ["config", "app", "id", "port", "host", "probes", "no-worker", "concurrency", "deadline", "json"],
    details: [
      "Without --config everything is local: one process, threads in .hebra/threads.sqlite. With a shared bus it can be one of several processes: see hebra worker.",
      "Replies are addressed to the gateway's --id. Two that run at once need two ids; one that starts again keeps its own.",
      probes,
      signals,
    ],
    examples: [
      ["hebra gateway --app ./app.js --port 8080", "everything in one process"],
      [
        "hebra gateway --config hebra.json --app ./app.js --no-worker --port 8080 --probes 9090",
        "beside workers of their own",
      ],
    ],
  },
  worker: {
    summary: "Runs turns. Start as many as the load needs.",
    options: ["config", "app", "concurrency", "host", "probes", "deadline", "json"],
    details: [
      "It needs a shared bus, and locks and a store that it shares with the others: a --config whose bus.backend is redis. The same --app as the gateway's; its `jobs` are scheduled by one of the workers.",
      probes,
      signals,
    ],
    examples: [
      ["hebra worker --config hebra.json --app ./app.js --probes 9090", "one of many"],
      [
        "hebra worker --config hebra.json --app ./app.js --concurrency 50 --deadline 120000",
        "for turns that wait for slow models",
      ],
    ],
  },
  chat: {
    summary: "Talks to an app in this terminal.",
    options: ["app", "config", "session", "no-worker", "concurrency", "deadline"],
    details: [
      "A line is a message; answers grow in place. /session NAME goes on in another conversation, /help tells the rest. From a pipe it answers line by line and ends when all is answered.",
      "It keeps its threads where the configuration says, by default in .hebra/threads.sqlite, so that a conversation goes on where it stopped.",
      "Ctrl-C or Ctrl-D ends it, once what runs is done; Ctrl-C again ends it at once.",
    ],
    examples: [
      ["hebra chat --app ./app.js", "in a terminal"],
      ["hebra chat --app ./app.js --session refunds", "in a conversation of that name"],
      ["echo 'What can you do?' | hebra chat --app ./app.js", "one question, one answer"],
    ],
  },
  drain: {
    summary: "Waits until nothing is queued and nothing is under way.",
    options: ["config", "deadline", "json"],
    details: [
      "Stop the intake first, or it may never be empty. What is scheduled for later does not count. When the time is over it ends with 3, and says what is left.",
      "Only for a shared bus: a local one ends with its process, which drains by itself on SIGTERM.",
    ],
    examples: [["hebra drain --config hebra.json --deadline 120000", "two minutes at most"]],
  },
  "dead-letters": {
    summary: "What was given up: lists it, shows it, tries it again, or drops it.",
    operands: "[list | show ID | replay ID… | discard ID…]",
    options: ["config", "limit", "before", "show", "replay", "discard", "json"],
    details: [
      "A list has the newest first: id, time, direction, conversation, cause and attempts, error code. Causes are exhausted, permanent, too-old, poison and overflow.",
      "Read the error and repair what it names before a replay. A replayed message goes to the end of its conversation under the same idempotency key, with its attempts counted anew: a turn that had happened is not run twice. A discarded one is gone.",
      "--show, --replay and --discard say the same as the words.",
    ],
    examples: [
      ["hebra dead-letters --config hebra.json", "the newest fifty"],
      ["hebra dead-letters show ID --config hebra.json", "one of them, whole"],
      ["hebra dead-letters replay ID --config hebra.json", "once its cause is repaired"],
      ["hebra dead-letters discard ID ID --config hebra.json --json", "two that nobody misses"],
    ],
  },
  stats: {
    summary: "Depth, oldest age, in flight and dead letters of both directions.",
    options: ["config", "json"],
    details: [
      "depth: messages in mailboxes, those being handled included. oldest: the age of the oldest first message. waiting: the same, of conversations that could be handed out now, which more workers would shorten. in flight: conversations that somebody works on. delayed: conversations that wait for a retry. parked: conversations that stand still until a dead letter is settled. scheduled: messages for later.",
    ],
    examples: [["hebra stats --config hebra.json --json", "for a script"]],
  },
  "to-local": {
    summary: "Moves a distributed deployment back into one process: one command, nothing lost, in under five minutes.",
    options: ["config", "app", "path", "out", "drain", "deadline", "undo", "json"],
    details: [
      "It pauses the intake (channels refuse what comes in, so that their other side sends it again), lets live workers finish, stops them, and moves what still waits: messages become queued executions in the store, in their order; messages for later, and replies that no channel had yet, are brought along. Then it copies the store into a SQLite file, compares counts and digests, makes --config a local one, and looks at all of it again.",
      "Run it where the local gateway is to run, with the gateways and workers still up, or down. They need not be told anything: they stop by themselves and wait to be ended. Afterwards end them, and start hebra gateway with the same --config.",
      "It can be broken off, also by a crash, at any point: run it again and it goes on. Before anything was moved, --undo takes the pause back. Its notes, an export of all threads, the old configuration and the dead letters are kept in <config>.to-local, readable by you alone.",
    ],
    examples: [
      ["hebra to-local --config hebra.json --app ./app.js", "back to .hebra/threads.sqlite"],
      [
        "hebra to-local --config /etc/hebra/hebra.json --app ./app.js --path /data/threads.sqlite --out /data/hebra.json --json",
        "where the configuration is read-only",
      ],
      ["hebra gateway --config hebra.json --app ./app.js --port 8080", "afterwards"],
    ],
  },
  migrations: {
    summary: "Says where PostgreSQL's tables stand, or brings them to this build's version.",
    options: ["config", "apply", "json"],
    details: [
      "A step of its own before a deploy: processes of the version before go on beside it. It ends with 3 while migrations are pending.",
    ],
    examples: [
      ["hebra migrations --config hebra.json", "what is pending"],
      ["hebra migrations --config hebra.json --apply", "before the deploy"],
    ],
  },
} as const satisfies Record<string, Command>;

/** A command's name. */
export type CommandName = keyof typeof commands;

/** The exit codes, the same for every command. */
export const exitCodes = { ok: 0, internal: 1, usage: 2, unfinished: 3, away: 4 } as const;
