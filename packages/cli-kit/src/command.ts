import type { ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import type { Output } from "./output.ts";

/** One option of a command. Without `argument` it is a switch. */
export interface OptionSpec {
  /** What its value is, in capitals and with its unit: `MS`, `FILE`. */
  readonly argument?: string;
  /** One line for the help. */
  readonly help: string;
  /** What holds when it is left out, as the help shows it. */
  readonly default?: string;
}

/** The options of a command by their long names, without dashes. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** Parsed options: text for those with an argument, `true` for switches that were given. */
export type OptionValues<O extends OptionTable> = {
  readonly [K in keyof O]?: O[K] extends { readonly argument: string } ? string : boolean;
};

/** What a command works with. */
export interface Call<V = Readonly<Record<string, string | boolean | undefined>>> {
  /** The command's name as typed, such as `hebra flags kill`. */
  readonly name: string;
  readonly options: V & { readonly json?: boolean };
  /** The words after the command that are not options. */
  readonly operands: readonly string[];
  readonly output: Output;
  readonly io: Io;
}

/** What a command found. */
export interface Report {
  /** For `--json`: one object on one line. */
  readonly report: object;
  /** For people; empty to print nothing. */
  readonly text: string;
  /** @defaultValue 0 */
  readonly exitCode?: ExitCode;
}

/** What a command is, for the parser, the help and the reference. */
export interface Command {
  /** One sentence. */
  readonly summary: string;
  /** Operands in usage notation: `<flag>`, `[ids...]`. */
  readonly operands?: string;
  readonly options: OptionTable;
  /** What one should know, a paragraph each. */
  readonly details?: readonly string[];
  /** Complete command lines without the program's name, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Resolves with nothing when it has written everything itself. */
  run(call: Call): Promise<Report | undefined>;
}

/** Commands under one word. */
export interface CommandGroup {
  readonly summary: string;
  readonly commands: CommandTable;
}

/** Commands and groups by name, in the order of the help. */
export type CommandTable = Readonly<Record<string, Command | CommandGroup>>;

/** A command whose `run` sees its options typed. */
export function defineCommand<const O extends OptionTable>(
  command: Omit<Command, "options" | "run"> & {
    options: O;
    run(call: Call<OptionValues<O>>): Promise<Report | undefined>;
  },
): Command {
  return command as unknown as Command;
}

/** Whether an entry of a table has commands below it. */
export const isGroup = (entry: Command | CommandGroup): entry is CommandGroup => "commands" in entry;

/** A command line: its commands, and what the help says about the whole. */
export interface Program {
  /** What is typed first. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly commands: CommandTable;
  /** What one should know, a paragraph each. */
  readonly details?: readonly string[];
  /** Where to begin. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Answers `--version`. */
  readonly version?: () => string;
}
