import { parseArgs } from "node:util";
import { didYouMean, errorMessage, HebraError } from "@hebra/core";
import { commands, optionTable, type Command, type CommandName, type OptionName } from "./commands.ts";

/** The options as parsed. */
export type CliOptions = { [K in OptionName]?: (typeof optionTable)[K]["type"] extends "boolean" ? boolean : string };

/** A command line as understood. */
export interface ParsedLine {
  command: CommandName;
  options: CliOptions;
  /** What stood there besides options. */
  operands: string[];
}

/** @returns nothing when the line asks for help alone. @throws HebraError `INVALID_OPTIONS` */
export function parseLine(args: readonly string[]): ParsedLine | undefined {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return undefined;
  if (!Object.hasOwn(commands, name)) {
    const near = didYouMean(name, Object.keys(commands));
    throw new HebraError(
      "INVALID_OPTIONS",
      `There is no command ${name}${near === undefined ? "" : `; did you mean ${near}?`} See hebra --help.`,
    );
  }
  const command = name as CommandName;
  const { options: own, operands }: Command = commands[command];
  const known: readonly OptionName[] = [...own, "help"];
  try {
    const { values, positionals } = parseArgs({
      args: rest,
      options: Object.fromEntries(known.map((option) => [option, optionTable[option]])),
      strict: true,
      allowPositionals: operands !== undefined,
    });
    return { command, options: values as CliOptions, operands: positionals };
  } catch (error) {
    const wrong = /'--?([\w-]+)/.exec(errorMessage(error))?.[1];
    const near = wrong === undefined || known.some((option) => option === wrong) ? undefined : didYouMean(wrong, known);
    throw new HebraError(
      "INVALID_OPTIONS",
      `${errorMessage(error).split(". To specify")[0]!}${near === undefined ? "" : ` Did you mean --${near}?`} See hebra ${command} --help.`,
      { cause: error },
    );
  }
}

/** @throws HebraError `INVALID_OPTIONS` */
export function number(name: OptionName, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const parsed = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(parsed)) return parsed;
  throw new HebraError("INVALID_OPTIONS", `--${name} must be a whole number, not ${value}.`);
}
