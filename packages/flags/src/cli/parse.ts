import { didYouMean, HebraError } from "@hebra/core";
import { parseArgs } from "node:util";
import { commands, rolloutVerbs, type Command, type CommandName } from "./command-table.ts";
import { optionsOf } from "./help.ts";
import { optionTable, type OptionName } from "./option-table.ts";

/** The options of a command line, as text. */
export type Given = Readonly<Partial<Record<OptionName, string | boolean>>>;

/** A command line that was understood. */
export interface Parsed {
  readonly command: CommandName | undefined;
  /** Of `rollout`. */
  readonly verb: string | undefined;
  /** The flag, or the module. */
  readonly operand: string;
  readonly given: Given;
}

const suggestion = (typed: string, known: readonly string[], mark = ""): string => {
  const near = didYouMean(typed, known);
  return near === undefined ? "" : ` Did you mean \`${mark}${near}\`?`;
};
const refuse = (message: string): never => {
  throw new HebraError("INVALID_OPTIONS", message);
};

/** Words that begin no option; values of options are left to the parser. */
function commandOf(argv: readonly string[]): { readonly words: readonly string[]; readonly rest: readonly string[] } {
  const at = argv.findIndex((word) => word.startsWith("-"));
  return at === -1 ? { words: argv, rest: [] } : { words: argv.slice(0, at), rest: argv.slice(at) };
}

/**
 * Understands a command line.
 *
 * @throws HebraError `INVALID_OPTIONS`, with what was meant where that can be guessed.
 */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const asked = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  const { words, rest } = commandOf(asked);
  const [name] = words;
  const help = asked.includes("--help") || asked.includes("-h");
  if (name === undefined) {
    const stranger = rest.find((word) => word !== "--help" && word !== "-h");
    if (stranger !== undefined) refuse("A command comes first. See hebra-flags --help.");
    return { command: undefined, verb: undefined, operand: "", given: help ? { help: true } : {} };
  }
  if (!Object.hasOwn(commands, name))
    refuse(`There is no command \`${name}\`.${suggestion(name, Object.keys(commands))} See hebra-flags --help.`);
  const command = name as CommandName;
  const verb = command === "rollout" ? words[1] : undefined;
  if (verb !== undefined && !Object.hasOwn(rolloutVerbs, verb))
    refuse(
      `There is no rollout verb \`${verb}\`.${suggestion(verb, Object.keys(rolloutVerbs))} See hebra-flags rollout --help.`,
    );
  if (command === "rollout" && verb === undefined && !help)
    refuse(
      `\`rollout\` needs a verb and a flag: ${Object.keys(rolloutVerbs).join(", ")}. See hebra-flags rollout --help.`,
    );
  const given = optionsGiven(command, verb, asked);
  if (given.help === true) return { command, verb, operand: "", given };
  return { command, verb, operand: operandOf(command, verb, asked), given };
}

const where = (command: CommandName, verb: string | undefined): string =>
  `hebra-flags ${command}${verb === undefined ? "" : ` ${verb}`} --help`;

function optionsGiven(command: CommandName, verb: string | undefined, argv: readonly string[]): Given {
  const known = optionsOf(command, verb);
  try {
    return parsed(command, verb, argv).values as Given;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const typed = /'(-{1,2}[^' =]+)/.exec(message)?.[1] ?? "";
    const option = typed.replace(/^-+/, "");
    const see = `See ${where(command, verb)}.`;
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION")
      refuse(
        `\`${command}${verb === undefined ? "" : ` ${verb}`}\` takes no option \`${typed}\`.${suggestion(option, known, "--")} ${see}`,
      );
    const entry = Object.hasOwn(optionTable, option) ? optionTable[option as OptionName] : undefined;
    if (entry !== undefined)
      return refuse(
        entry.type === "string"
          ? `\`--${option}\` needs a value: --${option} ${entry.argument}. ${see}`
          : `\`--${option}\` takes no value. ${see}`,
      );
    return refuse(`${message.split("\n", 1)[0]!.split(". To specify", 1)[0]!}. ${see}`);
  }
}

const parsed = (command: CommandName, verb: string | undefined, argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    options: Object.fromEntries(optionsOf(command, verb).map((name) => [name, optionTable[name]])),
    allowPositionals: true,
    strict: true,
  });

function operandOf(command: CommandName, verb: string | undefined, argv: readonly string[]): string {
  const wanted: readonly string[] = (commands[command] as Command).operands ?? [];
  const found = parsed(command, verb, argv).positionals.slice(1);
  const missing = wanted[found.length];
  if (missing !== undefined)
    refuse(
      `\`${command}\` needs a ${missing}: hebra-flags ${command} ${wanted.map((one) => `<${one}>`).join(" ")}. See ${where(command, verb)}.`,
    );
  const extra = found[wanted.length];
  if (extra !== undefined)
    refuse(
      `\`${extra}\` is one word too many: hebra-flags ${command} ${wanted.map((one) => `<${one}>`).join(" ")}. Nothing was done.`.trim(),
    );
  return found.at(-1) ?? "";
}
