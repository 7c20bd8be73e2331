import { CommanderError, type Command as Parser } from "commander";
import { didYouMean, HebraError } from "@hebra/core";
import { isGroup, type Command, type CommandGroup, type Program } from "./command.ts";
import { createParser } from "./parser.ts";

/** A command line as understood. */
export type Parsed =
  | { kind: "help"; path: readonly string[]; exitCode: 0 | 2 }
  | { kind: "version" }
  | {
      kind: "run";
      path: readonly string[];
      command: Command;
      options: Readonly<Record<string, string | boolean>>;
      operands: readonly string[];
    };

/** Sorts out which command a line is for, and reads its options. @throws HebraError `INVALID_OPTIONS` */
export function parseLine(program: Program, args: readonly string[]): Parsed {
  const asked = args[0] === "help" ? [...args.slice(1), "--help"] : args;
  const found = findCommand(program, asked);
  const { entry, path, rest } = found;
  const help = rest.some((word) => word === "--help" || word === "-h");
  if (!isGroup(entry)) return help ? { kind: "help", path, exitCode: 0 } : readOptions(program, entry, path, rest);
  const [word] = rest;
  if (word === "--version" && path.length === 0 && program.version !== undefined) return { kind: "version" };
  if (help) return { kind: "help", path, exitCode: 0 };
  if (word !== undefined) throw refuse(`A command comes first, not ${word}.`, program, path);
  if (path.length === 0) return { kind: "help", path, exitCode: 2 };
  const names = Object.keys(entry.commands).join(", ");
  throw refuse(`\`${nameOf(program, path)}\` needs a command: ${names}.`, program, path);
}

/** The program's name and the words of a command. */
export const nameOf = (program: Program, path: readonly string[]): string => [program.name, ...path].join(" ");

function findCommand(program: Program, args: readonly string[]) {
  let entry: Command | CommandGroup = program;
  let at = 0;
  for (; isGroup(entry) && at < args.length && !args[at]!.startsWith("-"); at++) {
    const word = args[at]!;
    const names: string[] = Object.keys(entry.commands);
    const next: Command | CommandGroup | undefined = names.includes(word) ? entry.commands[word] : undefined;
    if (next === undefined) {
      const path = args.slice(0, at);
      const near = didYouMean(word, names);
      const meant = near === undefined ? "" : ` Did you mean \`${nameOf(program, [...path, near])}\`?`;
      throw refuse(`There is no command \`${nameOf(program, [...path, word])}\`.${meant}`, program, path);
    }
    entry = next;
  }
  return { entry, path: args.slice(0, at), rest: args.slice(at) };
}

function readOptions(program: Program, command: Command, path: readonly string[], args: readonly string[]): Parsed {
  const parser = createParser(program, path, command);
  const names = [...parser.options].flatMap(({ long }) => (long == null ? [] : [long]));
  try {
    refuseDashes(parser, args);
    parser.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw refuse(messageOf(error, parser, names), program, path, error);
  }
  const values = parser.opts<Record<string, string | boolean>>();
  const options: Record<string, string | boolean> = {};
  for (const option of parser.options) {
    const value = values[option.attributeName()];
    // `--no-x` is a switch of that name here; for the parser it is `x` set to false.
    if (option.negate ? value === false : value !== undefined)
      options[option.long!.slice(2)] = option.negate ? true : value!;
  }
  return { kind: "run", path, command, options, operands: parser.args };
}

/** The parser takes whatever follows as a value; a forgotten value must not swallow the next option. */
function refuseDashes(parser: Parser, args: readonly string[]): void {
  for (const [at, word] of args.entries()) {
    if (word === "--") return;
    const option = parser.options.find(({ long }) => long === word);
    const next = args[at + 1];
    if (option?.required === true && next !== undefined && /^-./.test(next))
      throw new CommanderError(
        2,
        "hebra.dash",
        `${word} needs a value; one that begins with a dash is written ${word}=${next}`,
      );
  }
}

function messageOf({ code, message }: CommanderError, parser: Parser, names: readonly string[]): string {
  const extra = parser.args[parser.registeredArguments.length];
  if (code === "commander.excessArguments" && extra !== undefined) return `\`${extra}\` is one word too many.`;
  const text = message
    .replace(/^error: /, "")
    .split("\n", 1)[0]!
    .replace(/\.$/, "");
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  const typed = /'-{1,2}([^'=]+)/.exec(text)?.[1];
  const near =
    code === "commander.unknownOption" && typed !== undefined
      ? didYouMean(
          typed,
          names.map((name) => name.slice(2)),
        )
      : undefined;
  return near === undefined ? sentence : `${sentence} Did you mean --${near}?`;
}

function refuse(message: string, program: Program, path: readonly string[], cause?: unknown): HebraError {
  return new HebraError(
    "INVALID_OPTIONS",
    `${message} See \`${nameOf(program, path)} --help\`.`,
    cause === undefined ? {} : { cause },
  );
}
