import { errorCode, errorMessage, HebraError, redactText, type JsonValue } from "@hebra/core";
import type { Program, Report } from "./command.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { createOutput, type Output } from "./output.ts";
import { nameOf, parseLine } from "./parse.ts";
import { helpText } from "./parser.ts";

/** A refusal of something that is not ours, with how the command ends. */
export class CommandError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly details: Readonly<Record<string, JsonValue>>;
  /** Lines that say more, for people. */
  readonly lines: readonly string[];

  constructor(
    code: string,
    message: string,
    exitCode: ExitCode,
    more: { details?: Readonly<Record<string, JsonValue>>; lines?: readonly string[] } = {},
  ) {
    super(message);
    this.name = "CommandError";
    this.code = code;
    this.exitCode = exitCode;
    this.details = more.details ?? {};
    this.lines = more.lines ?? [];
  }
}

/**
 * Runs one command line. Never throws: an error becomes a line on standard error, or with `--json` an object
 * `{ ok: false, code, message, details }` on standard output.
 *
 * @returns the exit code
 */
export async function runProgram(program: Program, args: readonly string[], io: Io): Promise<ExitCode> {
  const output = createOutput(io);
  let json = args.includes("--json");
  try {
    const parsed = parseLine(program, args);
    if (parsed.kind === "version") {
      output.print(program.version!());
      return exitCodes.done;
    }
    if (parsed.kind === "help") {
      output.print(helpText(program, parsed.path));
      return parsed.exitCode;
    }
    const { command, path, options, operands } = parsed;
    json = options["json"] === true;
    return finish(await command.run({ name: nameOf(program, path), options, operands, output, io }), output, json);
  } catch (error) {
    return fail(error, output, json);
  }
}

function finish(found: Report | undefined, output: Output, json: boolean): ExitCode {
  if (found === undefined) return exitCodes.done;
  const { report, text, exitCode } = found;
  if (json) output.json(report);
  else if (text !== "") output.print(text);
  return exitCode ?? exitCodes.done;
}

function fail(error: unknown, output: Output, json: boolean): ExitCode {
  const refused = error instanceof CommandError ? error : undefined;
  const code = refused?.code ?? errorCode(error) ?? "INTERNAL";
  const message = messageOf(error, code);
  const details = refused?.details ?? (HebraError.isInstance(error) ? error.details : {});
  if (json) output.json({ ok: false, code, message, details });
  // The lines of a long message stay recognisable as one message.
  else
    output.note(
      [`${code}: ${message}`, ...(refused?.lines ?? [])].map((line) => line.replaceAll("\n", "\n  ")).join("\n"),
    );
  return refused?.exitCode ?? exitCodeOf(code);
}

/** Messages of Hebra hold no secret; those of drivers and of an app may. What a driver said often says what to do. */
function messageOf(error: unknown, code: string): string {
  const message = redactText(errorMessage(error));
  const { cause } = (error ?? {}) as { cause?: unknown };
  const foreign = cause instanceof Error && !HebraError.isInstance(cause);
  const behind = foreign ? redactText(cause.message) : "";
  const told = behind === "" || message.includes(behind) || code === "INVALID_OPTIONS" || code === "UNREACHABLE";
  return told ? message : `${message} (${behind})`;
}
