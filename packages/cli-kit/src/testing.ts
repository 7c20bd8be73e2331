import { errorMessage, HebraError } from "@hebra/core";
import { isGroup, type Command, type CommandTable } from "./command.ts";
import type { Io } from "./io.ts";
import { parseLine } from "./parse.ts";
import type { Program } from "./command.ts";
import { runProgram } from "./program.ts";

/** What a command line left behind. */
export interface Captured {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a command line in this process and keeps what it writes. Without terminal, colours and environment, unless
 * `more` says otherwise.
 *
 * @example
 * ```ts
 * import { runCaptured } from "@hebra/cli-kit/testing";
 *
 * const program = { name: "tool", summary: "Does things.", commands: {}, examples: [] };
 * const { code } = await runCaptured(program, ["--help"]);
 * console.log(code); // 0
 * ```
 */
export async function runCaptured(
  program: Program,
  args: readonly string[],
  more: Partial<Io> = {},
): Promise<Captured> {
  let [out, err] = ["", ""];
  const io: Io = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    terminal: false,
    progressTerminal: false,
    colour: false,
    size: () => ({ columns: 200, rows: 100 }),
    signal: new AbortController().signal,
    env: {},
    fetch,
    sleep: async () => {},
    ...more,
  };
  const code = await runProgram(program, args, io);
  return { code, out, err };
}

/** Every command with the words that lead to it. */
export function everyCommand(commands: CommandTable, before: readonly string[] = []): [readonly string[], Command][] {
  return Object.entries(commands).flatMap(([name, entry]): [readonly string[], Command][] =>
    isGroup(entry) ? everyCommand(entry.commands, [...before, name]) : [[[...before, name], entry]],
  );
}

/** The examples of a program that its own parser does not take, each with the reason; empty when all work. */
export function brokenExamples(program: Program): string[] {
  const own = program.examples.map(([line]) => line);
  const examples = everyCommand(program.commands).flatMap(([, command]) => command.examples.map(([line]) => line));
  return [...own, ...examples].flatMap((line) => {
    const words = [...line.replace(/^.*\$0 /, "").matchAll(/'([^']*)'|(>.*)|(\S+)/g)].flatMap((match) =>
      match[2] === undefined ? [match[1] ?? match[3]!] : [],
    );
    try {
      parseLine(program, words);
      return [];
    } catch (error) {
      return [`${line}: ${errorMessage(error)}`];
    }
  });
}

/** The command and options of a line, as the program reads them. @throws HebraError `INVALID_OPTIONS` */
export function readCommandLine(
  program: Program,
  args: readonly string[],
): { path: readonly string[]; command: Command; options: Readonly<Record<string, string | boolean>> } {
  const parsed = parseLine(program, args);
  if (parsed.kind !== "run") throw new HebraError("INVALID_OPTIONS", "The line asks for help or the version.");
  return parsed;
}
