import { Command as Parser, Option } from "commander";
import { isGroup, type Command, type CommandGroup, type Program } from "./command.ts";
import { exitCodeTable } from "./exit-codes.ts";

const WIDTH = 100;

/** commander's view of one command or group: what its options are, and how its help looks. */
export function createParser(program: Program, path: readonly string[], entry: Command | CommandGroup): Parser {
  const name = [program.name, ...path].join(" ");
  const parser = new Parser(name)
    .description(entry.summary)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {}, getOutHelpWidth: () => WIDTH })
    .configureHelp({ subcommandTerm: (child) => child.name(), helpWidth: WIDTH, showGlobalOptions: false })
    .showSuggestionAfterError(false)
    .helpCommand(false)
    .helpOption("-h, --help", "this text");
  if (isGroup(entry)) {
    parser.usage("<command> [options]");
    for (const [word, { summary }] of Object.entries(entry.commands))
      parser.addCommand(new Parser(word).description(summary));
    return parser;
  }
  if (entry.operands !== undefined) parser.arguments(entry.operands);
  parser.allowExcessArguments(false).usage([entry.operands, "[options]"].filter(Boolean).join(" "));
  for (const [option, { argument, help, default: fallback }] of Object.entries(entry.options))
    parser.addOption(
      new Option(
        `--${option}${argument === undefined ? "" : ` <${argument}>`}`,
        fallback === undefined ? help : `${help} (default: ${fallback})`,
      ),
    );
  return parser;
}

/** The help of the program, of a group or of a command. */
export function helpText(program: Program, path: readonly string[]): string {
  let entry: Command | CommandGroup = program;
  for (const word of path) entry = (entry as CommandGroup).commands[word]!;
  const parser = createParser(program, path, entry);
  const name = [program.name, ...path].join(" ");
  const paragraphs = (isGroup(entry) ? (path.length === 0 ? program.details : undefined) : entry.details) ?? [];
  const examples = isGroup(entry) ? (path.length === 0 ? program.examples : []) : entry.examples;
  const helper = parser.createHelp();
  return [
    parser.helpInformation().trimEnd(),
    ...paragraphs.flatMap((paragraph) => ["", helper.boxWrap(paragraph, WIDTH)]),
    ...(examples.length === 0 ? [] : ["", examples.length === 1 ? "Example:" : "Examples:"]),
    ...examples.flatMap(([line, what]) => [`  ${exampleLine(program, line)}`, `      ${what}`]),
    "",
    "Exit codes:",
    ...exitCodeTable.map(([code, meaning]) => `  ${code}  ${meaning}`),
    ...(isGroup(entry) ? ["", `\`${name} <command> --help\` explains one command.`] : []),
  ].join("\n");
}

/** An example may begin with another program, after which ours follows as `$0`. */
export const exampleLine = ({ name }: Program, line: string): string =>
  line.includes("$0") ? line.replaceAll("$0", name) : `${name} ${line}`;
