import type { OptionTable, OptionValues } from "@hebra/cli-kit";

/** The options that several commands share, once. */
export const optionTable = {
  config: {
    argument: "FILE",
    help: "JSON: bus, locks, store, flags and the rest",
    default: "everything local",
  },
  app: {
    argument: "MODULE",
    help: "exports `threads`, and optionally `channels`, `route`, `reply`, `jobs`, `legacy`",
  },
  concurrency: { argument: "N", help: "conversations at once", default: "10" },
  port: { argument: "N", help: "serve the HTTP channel on this port" },
  probes: { argument: "N", help: "serve /healthz, /readyz and /stats on this port" },
  host: { argument: "ADDRESS", help: "address that both ports listen on", default: "127.0.0.1" },
  id: { argument: "NAME", help: "the gateway's id", default: "main" },
  session: { argument: "NAME", help: "the conversation to begin with", default: "main" },
  "no-worker": { help: "run no worker in this process; others must run" },
  deadline: { argument: "MS", help: "time for work in progress, in milliseconds", default: "30000" },
  path: { argument: "FILE", help: "the SQLite file of the local process", default: ".hebra/threads.sqlite" },
  out: { argument: "FILE", help: "write the local configuration here and leave --config as it is" },
  drain: {
    argument: "MS",
    help: "time for live processes to finish before the rest is moved, in milliseconds",
    default: "60000",
  },
  undo: { help: "take back a move that has not gone too far, and open the intake" },
  replay: { argument: "ID", help: "same as `replay ID`" },
  discard: { argument: "ID", help: "same as `discard ID`" },
  show: { argument: "ID", help: "same as `show ID`" },
  limit: { argument: "N", help: "how many to list", default: "50" },
  before: { argument: "CURSOR", help: "continue after the last list, which ended with this cursor" },
  apply: { help: "bring the tables to this build's version; they only gain" },
  json: { help: "JSON on standard output, for programs" },
} as const satisfies OptionTable;

/** An option's name. */
export type OptionName = keyof typeof optionTable;

/** The options as parsed. */
export type CliOptions = OptionValues<typeof optionTable>;

/** Some of the options, for one command. */
export const pick = (...names: readonly OptionName[]): OptionTable =>
  Object.fromEntries(names.map((name) => [name, optionTable[name]]));
