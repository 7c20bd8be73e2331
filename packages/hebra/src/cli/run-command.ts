import { errorCode, errorMessage, redactText, type ErrorCode } from "@hebra/core";
import { chat } from "./chat.ts";
import { exitCodes } from "./commands.ts";
import { deadLetters } from "./dead-letters.ts";
import { helpText } from "./help.ts";
import { migrations } from "./migrations.ts";
import { parseLine, type ParsedLine } from "./parse.ts";
import { drain, stats } from "./queues.ts";
import { runProcess } from "./run-process.ts";
import { toLocal } from "./to-local.ts";

export type { CliOptions } from "./parse.ts";

/** Where a command writes: results on `out`, everything for people on `err`. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

/** What a command found out. */
export interface Report {
  report: object;
  text: string;
  /** @defaultValue 0 */
  exitCode?: number;
}

/** What a person has to change before the same command can succeed. */
const usage = new Set<ErrorCode>([
  "INVALID_OPTIONS",
  "INVALID_ID",
  "PEER_MISSING",
  "UNSUPPORTED",
  "DURABILITY_UNSUPPORTED",
  "UPGRADE_REQUIRED",
  "SCHEMA_NOT_APPLIED",
  "SCHEMA_TOO_NEW",
]);
/** What passes by itself. */
const away = new Set<ErrorCode>(["UNREACHABLE", "TIMEOUT", "STORE_LOCKED", "LOCK_TIMEOUT"]);

/**
 * Runs one command line. Never throws. @param signal - ends what runs until it is told to end. @returns the exit code
 */
export async function runCommand(args: readonly string[], streams: Streams, signal: AbortSignal): Promise<number> {
  let json = args.includes("--json");
  try {
    const line = parseLine(args);
    if (line === undefined) {
      streams.out(`${helpText()}\n`);
      return args.length === 0 ? exitCodes.usage : exitCodes.ok;
    }
    if (line.options.help === true) {
      streams.out(`${helpText(line.command)}\n`);
      return exitCodes.ok;
    }
    json = line.options.json === true;
    const { report, text, exitCode } = await perform(line, streams, signal);
    if (json || text !== "") streams.out(json ? `${JSON.stringify(report)}\n` : `${text}\n`);
    return exitCode ?? exitCodes.ok;
  } catch (error) {
    const code = errorCode(error) ?? "INTERNAL";
    // Messages of Hebra hold no secret; those of drivers and of an app may.
    const message = redactText(errorMessage(error));
    if (json) streams.out(`${JSON.stringify({ ok: false, code, message })}\n`);
    else streams.err(`${code}: ${message}\n`);
    return exitCodeOf(code);
  }
}

function exitCodeOf(code: ErrorCode): number {
  if (usage.has(code)) return exitCodes.usage;
  if (code === "ABORTED") return exitCodes.unfinished;
  return away.has(code) ? exitCodes.away : exitCodes.internal;
}

async function perform(
  { command, options, operands }: ParsedLine,
  streams: Streams,
  signal: AbortSignal,
): Promise<Report> {
  switch (command) {
    case "gateway":
    case "worker":
      return runProcess(command, options, streams, signal);
    case "chat":
      return chat(options, streams, signal);
    case "drain":
      return drain(options, signal);
    case "dead-letters":
      return deadLetters(options, operands);
    case "stats":
      return stats(options);
    case "to-local":
      return toLocal(options, streams, signal);
    case "migrations":
      return migrations(options);
  }
}
