import type { Call, Command, CommandTable, Report } from "@hebra/cli-kit";
import { errorCode, HebraError } from "@hebra/core";
import { pick, type CliOptions, type OptionName } from "./options.ts";

const signals =
  "On SIGTERM or Ctrl-C it accepts no new work, finishes what it holds, returns the rest at --deadline, and exits with 0. A second signal ends it at once; what it held is taken up again when its lease expires.";
const probes =
  "--probes serves /healthz (restart the process when it is not 200), /readyz (send it no work when it is not 200) and /stats.";

interface Described extends Omit<Command, "options" | "run"> {
  options: readonly OptionName[];
  /** Loads what the command needs when it runs, so that help and other commands start fast. */
  run(call: Call<CliOptions>): Promise<Report>;
}

const command = ({ options, run, ...rest }: Described): Command => ({
  ...rest,
  options: pick(...options),
  run: (call) => advised(call.options as CliOptions, () => run(call as Call<CliOptions>)),
});

/** An operator runs commands: instead of a library call, name the command that applies the migrations. */
async function advised<T>({ config = "FILE" }: CliOptions, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (errorCode(error) !== "SCHEMA_NOT_APPLIED") throw error;
    const details = HebraError.isInstance(error) ? error.details : {};
    const { found, needed } = details;
    const versions = needed === undefined ? "" : ` (version ${String(found)}, needed ${String(needed)})`;
    throw new HebraError(
      "SCHEMA_NOT_APPLIED",
      `The database's tables are missing or older than this build needs${versions}. Run \`hebra migrations --apply --config ${config}\`, then start this again.`,
      { cause: error, details },
    );
  }
}

/** Commands that run and look after processes. */
export const commands = {
  gateway: command({
    summary: "Runs the channels, sends their replies, and works too unless told otherwise.",
    options: ["config", "app", "id", "port", "host", "probes", "no-worker", "concurrency", "deadline", "json"],
    details: [
      "Without --config everything is local: one process, threads in .hebra/threads.sqlite. With a shared bus it can be one of several processes: see `hebra worker`.",
      "Replies are addressed to the gateway's --id. Two gateways that run at once need different ids; a restarted gateway keeps its id.",
      probes,
      signals,
    ],
    examples: [
      ["gateway --app ./app.js --port 8080", "everything in one process"],
      ["gateway --config hebra.json --app ./app.js --no-worker --port 8080 --probes 9090", "beside separate workers"],
    ],
    run: async ({ options, output, io }) =>
      (await import("./run-process.ts")).runProcess("gateway", options, output, io.signal),
  }),
  worker: command({
    summary: "Runs turns. Start as many as the load needs.",
    options: ["config", "app", "concurrency", "host", "probes", "deadline", "json"],
    details: [
      "It needs a shared bus, and locks and a store shared with the others: a --config whose bus.backend is redis. Pass the same --app as to the gateway; one of the workers schedules its `jobs`.",
      probes,
      signals,
    ],
    examples: [
      ["worker --config hebra.json --app ./app.js --probes 9090", "one of many"],
      [
        "worker --config hebra.json --app ./app.js --concurrency 50 --deadline 120000",
        "for turns that wait for slow models",
      ],
    ],
    run: async ({ options, output, io }) =>
      (await import("./run-process.ts")).runProcess("worker", options, output, io.signal),
  }),
  chat: command({
    summary: "Talks to an app in this terminal.",
    options: ["app", "config", "session", "no-worker", "concurrency", "deadline"],
    details: [
      "A line is a message; answers grow in place. /session NAME switches to another conversation, /help lists the rest. From a pipe it answers line by line and ends when all is answered.",
      "Threads are kept where the configuration says, by default in .hebra/threads.sqlite, so a conversation continues the next time.",
      "Ctrl-C or Ctrl-D ends it once the running turn is done; a second Ctrl-C ends it at once.",
    ],
    examples: [
      ["chat --app ./app.js", "in a terminal"],
      ["chat --app ./app.js --session refunds", "in a conversation of that name"],
      ["echo 'What can you do?' | $0 chat --app ./app.js", "one question, one answer"],
    ],
    run: async ({ options, output, io }) => (await import("./chat.ts")).chat(options, output, io.signal),
  }),
  drain: command({
    summary: "Waits until nothing is queued and nothing is in progress.",
    options: ["config", "deadline", "json"],
    details: [
      "Stop the intake first, or the bus may never be empty. Messages scheduled for later do not count. When the time is over it exits with 6 and prints what is left.",
      "It needs a shared bus: a local one ends with its process, which drains by itself on SIGTERM.",
    ],
    examples: [["drain --config hebra.json --deadline 120000", "two minutes at most"]],
    run: async ({ options, io }) => (await import("./queues.ts")).drain(options, io.signal),
  }),
  "dead-letters": command({
    summary: "Lists, shows, replays or discards messages that were given up.",
    operands: "[action] [ids...]",
    options: ["config", "limit", "before", "show", "replay", "discard", "json"],
    details: [
      "The action is list (the default), show ID, replay ID… or discard ID….",
      "A list has the newest first: id, time, direction, conversation, cause and attempts, error code. Causes are exhausted, permanent, too-old, poison and overflow.",
      "Read the error and repair its cause before a replay. A replayed message goes to the end of its conversation under the same idempotency key, with its attempts counted anew; a turn that already ran is not run twice. A discarded message is gone.",
    ],
    examples: [
      ["dead-letters --config hebra.json", "the newest fifty"],
      ["dead-letters show ID --config hebra.json", "one of them, complete"],
      ["dead-letters replay ID --config hebra.json", "after its cause is repaired"],
      ["dead-letters discard ID ID --config hebra.json --json", "two at once"],
    ],
    run: async ({ options, operands }) => (await import("./dead-letters.ts")).deadLetters(options, operands),
  }),
  stats: command({
    summary: "Prints depth, oldest age, messages in flight and dead letters of both directions.",
    options: ["config", "json"],
    details: [
      "depth: messages in mailboxes, including those being handled. oldest: the age of the oldest first message. waiting: the same for conversations that could be handed out now, which more workers would shorten. in flight: conversations being worked on. delayed: conversations waiting for a retry. parked: conversations that stand still until a dead letter is settled. scheduled: messages for later.",
    ],
    examples: [["stats --config hebra.json --json", "for a script"]],
    run: async ({ options }) => (await import("./queues.ts")).stats(options),
  }),
  "to-local": command({
    summary: "Moves a distributed deployment back into one process, losing nothing, in under five minutes.",
    options: ["config", "app", "path", "out", "drain", "deadline", "undo", "json"],
    details: [
      "It pauses the intake (channels refuse what comes in, so senders retry), waits for live workers to finish, stops them, and moves what is left: messages become queued executions in the store, in order; scheduled messages and unsent replies come along. Then it copies the store into a SQLite file, compares counts and digests, makes --config a local one, and checks everything again.",
      "Run it where the local gateway will run, with the gateways and workers still up, or down. They stop by themselves and wait to be ended. Afterwards end them, and start `hebra gateway` with the same --config.",
      "--deadline is for the whole move here, 300000 ms by default. A move that was interrupted, also by a crash, continues when you run it again. Before anything has moved, --undo lifts the pause. Notes, an export of all threads, the old configuration and the dead letters are kept in <config>.to-local, readable only by you.",
    ],
    examples: [
      ["to-local --config hebra.json --app ./app.js", "back to .hebra/threads.sqlite"],
      [
        "to-local --config /etc/hebra/hebra.json --app ./app.js --path /data/threads.sqlite --out /data/hebra.json --json",
        "where the configuration is read-only",
      ],
      ["gateway --config hebra.json --app ./app.js --port 8080", "afterwards"],
    ],
    run: async ({ options, output, io }) => (await import("./to-local.ts")).toLocal(options, output, io.signal),
  }),
  "to-shared": command({
    summary: "Moves the conversations of a local process to a shared bus and store, losing nothing.",
    options: ["config", "path", "drain", "deadline", "undo", "json"],
    details: [
      "--config names the shared bus, locks and store to move to, --path the SQLite file of the local process; by default it is store.path of the configuration, or .hebra/threads.sqlite. It pauses the local intake (channels refuse what comes in, so senders retry), waits for running turns, stops the local process, copies every conversation with its history, compares counts and digests, marks the local store as moved, and gives waiting turns and unsent replies to the shared bus.",
      "Run it on the host of the local process, which may be up or down. Start no process of the shared deployment before it has finished. Apply `hebra migrations` first where the store is PostgreSQL.",
      "--deadline is for the whole move here, 300000 ms by default. A move that was interrupted, also by a crash, continues when you run it again. Until it has switched, --undo removes the copies and opens the local intake. Notes and an export of all threads are kept in <config>.to-shared, readable only by you.",
    ],
    examples: [
      ["to-shared --config shared.json", "from .hebra/threads.sqlite"],
      ["to-shared --config shared.json --path /data/threads.sqlite --json", "from another file, for a script"],
      ["gateway --config shared.json --app ./app.js --port 8080", "afterwards"],
    ],
    run: async ({ options, output, io }) => (await import("./to-shared.ts")).toShared(options, output, io.signal),
  }),
  migrations: command({
    summary: "Shows the version of PostgreSQL's tables, or brings them to this build's version.",
    options: ["config", "apply", "json"],
    details: [
      "Run it as a step of its own before a deploy; processes of the previous version keep running beside it. It exits with 6 while migrations are pending.",
    ],
    examples: [
      ["migrations --config hebra.json", "what is pending"],
      ["migrations --config hebra.json --apply", "before the deploy"],
    ],
    run: async ({ options }) => (await import("./migrations.ts")).migrations(options),
  }),
} as const satisfies CommandTable;

/** A command's name. */
export type CommandName = keyof typeof commands;
