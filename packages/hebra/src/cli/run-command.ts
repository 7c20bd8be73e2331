import { parseArgs } from "node:util";
import { didYouMean, errorCode, errorMessage, HebraError, type ErrorCode } from "@hebra/core";
import { commands, exitCodes, helpText, optionTable, type CommandName, type OptionName } from "./commands.ts";
import { migrations } from "./migrations.ts";
import { deadLetters, drain, stats } from "./queues.ts";
import { runProcess } from "./run-process.ts";

/** Where a command writes: results on `out`, everything for people on `err`. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

/** The options as parsed. */
export type CliOptions = { [K in OptionName]?: (typeof optionTable)[K]["type"] extends "boolean" ? boolean : string };

/** What a command found out. */
export interface Report {
  report: object;
  text: string;
  /** @defaultValue 0 */
  exitCode?: number;
}

const usage = new Set<ErrorCode>(["INVALID_OPTIONS", "PEER_MISSING", "UNSUPPORTED", "SCHEMA_NOT_APPLIED", "SCHEMA_TOO_NEW"]);

/** Runs one command line. Never throws. @param signal - ends a gateway or a worker. @returns the exit code */
export async function runCommand(args: readonly string[], streams: Streams, signal: AbortSignal): Promise<number> {
  let json = args.includes("--json");
  try {
    const parsed = parse(args);
    if (parsed === undefined) {
      streams.out(`${helpText()}\n`);
      return args.length === 0 ? exitCodes.usage : exitCodes.ok;
    }
    const { command, options } = parsed;
    if (options.help === true) {
      streams.out(`${helpText(command)}\n`);
      return exitCodes.ok;
    }
    json = options.json === true;
    const { report, text, exitCode } = await perform(command, options, streams, signal);
    streams.out(json ? `${JSON.stringify(report)}\n` : `${text}\n`);
    return exitCode ?? exitCodes.ok;
  } catch (error) {
    const code = errorCode(error) ?? "INTERNAL";
    if (json) streams.out(`${JSON.stringify({ ok: false, code, message: errorMessage(error) })}\n`);
    else streams.err(`${code}: ${errorMessage(error)}\n`);
    return usage.has(code) ? exitCodes.usage : exitCodes.internal;
  }
}

async function perform(command: CommandName, options: CliOptions, streams: Streams, signal: AbortSignal): Promise<Report> {
  switch (command) {
    case "gateway":
    case "worker":
      return runProcess(command, options, streams, signal);
    case "drain":
      return drain(options, signal);
    case "dead-letters":
      return deadLetters(options);
    case "stats":
      return stats(options);
    case "migrations":
      return migrations(options);
  }
}

function parse(args: readonly string[]): { command: CommandName; options: CliOptions } | undefined {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return undefined;
  if (!Object.hasOwn(commands, name)) {
    const near = didYouMean(name, Object.keys(commands));
    throw new HebraError("INVALID_OPTIONS", `There is no command ${name}${near === undefined ? "" : `; did you mean ${near}?`} See hebra --help.`);
  }
  const command = name as CommandName;
  const known: readonly OptionName[] = [...commands[command].options, "help"];
  try {
    const { values } = parseArgs({ args: rest, options: Object.fromEntries(known.map((option) => [option, optionTable[option]])), strict: true, allowPositionals: false });
    return { command, options: values as CliOptions };
  } catch (error) {
    const wrong = /'--?([\w-]+)/.exec(errorMessage(error))?.[1];
    const near = wrong === undefined ? undefined : didYouMean(wrong, known);
    throw new HebraError("INVALID_OPTIONS", `${errorMessage(error).split(". To specify")[0]!}${near === undefined ? "" : ` Did you mean --${near}?`} See hebra ${command} --help.`, { cause: error });
  }
}
