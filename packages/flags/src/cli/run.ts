import { errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Call } from "./call.ts";
import { adminClient, Refused } from "./client.ts";
import type { CommandName } from "./command-table.ts";
import * as flagCommands from "./flag-commands.ts";
import { helpText } from "./help.ts";
import type { CliIo, ExitCode } from "./io.ts";
import { simulate, verdict } from "./local-commands.ts";
import { createPaint } from "./paint.ts";
import { parseCommandLine } from "./parse.ts";
import { rollout } from "./rollout-command.ts";
import { watch } from "./watch.ts";

const { list, get, set, kill, unkill, explain, audit, incidents } = flagCommands;
const commands: Readonly<Record<CommandName, (call: Call) => Promise<ExitCode>>> = {
  list,
  get,
  set,
  kill,
  unkill,
  explain,
  rollout,
  watch,
  audit,
  incidents,
  simulate,
  "validate-no-regression": verdict,
  "perf-baseline": verdict,
};

/**
 * Runs the command line.
 *
 * @returns the exit code; nothing is thrown.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    const parsed = parseCommandLine(argv);
    const { command, verb, given } = parsed;
    if (command === undefined || given.help === true) {
      io.out(helpText(command, verb));
      return given.help === true ? 0 : 2;
    }
    const url = typeof given.url === "string" ? given.url : io.url;
    const token = typeof given.token === "string" ? given.token : io.token;
    return await commands[command]({
      ...parsed,
      io,
      paint: createPaint(io.colour),
      client: () => adminClient(io, url, token),
    });
  } catch (error) {
    return failed(error, argv.includes("--json"), io);
  }
}

function failed(error: unknown, asJson: boolean, io: CliIo): ExitCode {
  if (io.signal.aborted && !(error instanceof Refused)) return 0;
  const { exitCode, code, detail, more } = described(error);
  if (asJson) io.err(`${JSON.stringify({ code, detail, ...more })}\n`);
  else io.err(`${code}: ${detail}\n${(more.missing ?? []).map((one) => `  ✗ ${one.detail}\n`).join("")}`);
  return exitCode;
}

interface Described {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly detail: string;
  readonly more: {
    readonly status?: number;
    readonly missing?: readonly { readonly item: string; readonly detail: string }[];
  };
}

function described(error: unknown): Described {
  if (error instanceof Refused) {
    const { status, code, detail, missing } = error.refusal;
    // What is missing is listed below, one a line; the sentence need not say it all again.
    const short = missing.length === 0 ? detail : detail.split(": ", 1)[0]!;
    return { exitCode: error.exitCode, code, detail: short, more: { status, missing } };
  }
  const code = errorCode(error) ?? "ERROR";
  const understood = HebraError.isInstance(error);
  return {
    exitCode: code === "UNREACHABLE" ? 3 : understood ? 2 : 1,
    code: understood ? code : "ERROR",
    detail: errorMessage(error),
    more: {},
  };
}
