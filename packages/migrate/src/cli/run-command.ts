import { parseArgs } from "node:util";
import { didYouMean, errorCode, errorMessage, HebraError, redactText, type ErrorCode } from "@hebra/core";
import { commands, exitCodes, helpText, optionTable, type CommandName, type OptionName } from "./commands.ts";
import { migrateWith, type CliOptions } from "./migrate-with.ts";

/** Where a command writes: results on `out`, everything for people on `err`. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
  /** Whether `err` is a terminal, where a line may be redrawn. */
  isTerminal: boolean;
}

const exitOf: Partial<Record<ErrorCode, number>> = {
  PLAN_MISSING: exitCodes.usage,
  INVALID_OPTIONS: exitCodes.usage,
  PEER_MISSING: exitCodes.usage,
  SOURCE_INVALID: exitCodes.usage,
  PLAN_DRIFT: exitCodes.drift,
  VERIFY_MISMATCH: exitCodes.mismatch,
  ABORTED: exitCodes.paused,
  REJECTS_OVER_BUDGET: exitCodes.rejects,
};

/** Runs one command line. Never throws. @returns the exit code */
export async function runCommand(args: readonly string[], streams: Streams, signal?: AbortSignal): Promise<number> {
  let json = args.includes("--json");
  try {
    const parsed = parse(args);
    if (parsed === undefined) {
      streams.out(`${helpText()}\n`);
      return args.length === 0 ? exitCodes.usage : exitCodes.ok;
    }
    if (parsed.options.help === true) {
      streams.out(`${helpText(parsed.command)}\n`);
      return exitCodes.ok;
    }
    json = parsed.options.json === true;
    const { report, text } = await migrateWith(parsed.command, parsed.options, streams, signal);
    streams.out(json ? `${JSON.stringify(report)}\n` : `${text}\n`);
    return exitCodes.ok;
  } catch (error) {
    const code = errorCode(error) ?? "INTERNAL";
    const message = messageOf(error);
    const details = HebraError.isInstance(error) ? error.details : {};
    if (json) streams.out(`${JSON.stringify({ ok: false, code, message, details })}\n`);
    else streams.err(`${code}: ${message}\n`);
    return exitOf[code] ?? exitCodes.internal;
  }
}

/** What a store or a file system said is behind our own error; it often says what to do. */
function messageOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const behind = cause instanceof Error ? redactText(cause.message) : "";
  return behind === "" || errorMessage(error).includes(behind)
    ? errorMessage(error)
    : `${errorMessage(error)} (${behind})`;
}

function whatIsWrong(error: unknown, known: readonly string[]): string {
  const { code, message } = error as { code?: string; message: string };
  const option = /'--?([\w-]+)/.exec(message)?.[1];
  if (option === undefined) return `${message.split("\n", 1)[0]!}.`;
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION")
    return `--${option} needs a value; one that begins with a dash is written --${option}=-1.`;
  const near = didYouMean(option, known);
  return `There is no option --${option} here.${near === undefined ? "" : ` Did you mean --${near}?`}`;
}

function parse(args: readonly string[]): { command: CommandName; options: CliOptions } | undefined {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return undefined;
  if (!Object.hasOwn(commands, name)) {
    const near = didYouMean(name, Object.keys(commands));
    throw new HebraError(
      "INVALID_OPTIONS",
      `There is no command ${name}${near === undefined ? "" : `; did you mean ${near}`}? See hebra-migrate --help.`,
    );
  }
  const command = name as CommandName;
  const known: readonly OptionName[] = [...commands[command].options, "help"];
  try {
    const { values } = parseArgs({
      args: rest,
      options: Object.fromEntries(known.map((option) => [option, optionTable[option]])),
      strict: true,
      allowPositionals: false,
    });
    return { command, options: values as CliOptions };
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `${whatIsWrong(error, known)} See hebra-migrate ${command} --help.`);
  }
}
