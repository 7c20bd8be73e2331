import {
  defineCommand,
  type Call,
  type Command,
  type CommandTable,
  type OptionTable,
  type Report,
} from "@hebra/cli-kit";
import { flagCall, type FlagCall } from "./call.ts";
import {
  flagEntries,
  incidentEntries,
  lookingVerbs,
  rolloutEntries,
  type Entry,
  type FlagCommand,
} from "./command-table.ts";
import { optionTable, type Given, type OptionName } from "./option-table.ts";

type Run = (call: FlagCall) => Promise<Report | undefined>;

/** What each command does. Loaded when it runs, so that help and other commands start fast. */
const runs: Readonly<Record<FlagCommand, Run>> = {
  list: async (call) => (await import("./flag-commands.ts")).list(call),
  get: async (call) => (await import("./flag-commands.ts")).get(call),
  set: async (call) => (await import("./flag-commands.ts")).set(call),
  kill: async (call) => (await import("./flag-commands.ts")).kill(call),
  unkill: async (call) => (await import("./flag-commands.ts")).unkill(call),
  explain: async (call) => (await import("./flag-commands.ts")).explain(call),
  policy: async (call) => (await import("./flag-commands.ts")).policy(call),
  audit: async (call) => (await import("./flag-commands.ts")).audit(call),
  watch: async (call) => (await import("./watch.ts")).watch(call),
  serve: async (call) => (await import("./serve.ts")).serve(call),
  simulate: async (call) => (await import("./local-commands.ts")).simulate(call),
  "validate-no-regression": async (call) =>
    (await import("./local-commands.ts")).verdict("validate-no-regression", call),
  "perf-baseline": async (call) => (await import("./local-commands.ts")).verdict("perf-baseline", call),
};

/** A change takes an idempotency key, and whatever asks the admin its address. */
function optionsOf({ options, local }: Entry, changes: boolean): OptionTable {
  const names: readonly OptionName[] = [
    ...options,
    ...(changes ? (["key"] as const) : []),
    ...(local === true ? [] : (["url", "token"] as const)),
    "json",
  ];
  return Object.fromEntries(names.map((name) => [name, optionTable[name]]));
}

const build = (entry: Entry, prefix: string, changes: boolean, run: Run): Command => ({
  ...defineCommand({
    ...entry,
    options: optionsOf(entry, changes),
    run: (call) => run(flagCall(call as unknown as Call<Given>)),
  }),
  examples: entry.examples.map(([line, what]) => [`${prefix}${line}`, what] as const),
});

/** The commands about flags; `prefix` is what stands before them in examples. */
export const flagTable = (prefix: string): CommandTable =>
  Object.fromEntries(
    Object.entries<Entry>(flagEntries).map(([name, entry]) => [
      name,
      build(entry, prefix, entry.options.includes("reason"), runs[name as FlagCommand]),
    ]),
  );

/** The commands that move a rollout or leave a record. */
export const rolloutTable: CommandTable = Object.fromEntries(
  Object.entries(rolloutEntries).map(([verb, entry]) => {
    if (entry.local === true)
      return [
        verb,
        build(entry, "", false, async (call) => (await import("./simulate-command.ts")).simulateRollouts(call)),
      ];
    const looks = lookingVerbs.includes(verb);
    const runVerb: Run =
      verb === "rehearse"
        ? async (call) => (await import("./rehearse-command.ts")).rehearse(call)
        : async (call) => (await import("./rollout-command.ts")).rollout(verb, call);
    const own: Entry = {
      operands: "<flag>",
      ...entry,
      options: looks ? entry.options : [...entry.options, "reason"],
    };
    return [verb, build(own, "", !looks, runVerb)];
  }),
);

const incidentRuns: Readonly<Record<keyof typeof incidentEntries, Run>> = {
  list: async (call) => (await import("./incident-commands.ts")).list(call),
  show: async (call) => (await import("./incident-commands.ts")).showOne(call),
  close: async (call) => (await import("./incident-commands.ts")).close(call),
};

/** The commands about incidents. */
export const incidentTable: CommandTable = Object.fromEntries(
  Object.entries<Entry>(incidentEntries).map(([name, entry]) => [
    name,
    build(entry, "", false, incidentRuns[name as keyof typeof incidentEntries]),
  ]),
);
