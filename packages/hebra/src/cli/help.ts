import { commands, optionTable, type Command, type CommandName } from "./commands.ts";

const WIDTH = 100;
const EXIT_CODES =
  "Exit codes: 0 done, 1 internal error, 2 wrong usage or configuration, 3 not finished, 4 a server is away: try again.";

/** The help of one command, or of all. */
export function helpText(name?: CommandName): string {
  return name === undefined ? overview() : helpOf(name);
}

function overview(): string {
  const list = Object.entries(commands).map(([command, { summary }]) => `  ${command.padEnd(14)}${summary}`);
  return [
    "hebra runs conversations: in one process, or with gateways and workers over a shared bus.",
    "",
    "Usage: hebra <command> [options]",
    "",
    ...list,
    "",
    "Begin with:",
    "  hebra chat --app ./app.js            talk to it",
    "  hebra gateway --app ./app.js --port 8080   serve it",
    "",
    EXIT_CODES,
    "",
    "hebra <command> --help tells more.",
  ].join("\n");
}

function helpOf(name: CommandName): string {
  const { summary, operands, options, details, examples }: Command = commands[name];
  const lines = [...options, "help" as const].map((option) => {
    const entry = optionTable[option];
    const left = `--${option}${"argument" in entry ? ` ${entry.argument}` : ""}`;
    return `  ${left.padEnd(20)}${entry.help}`;
  });
  return [
    summary,
    "",
    `Usage: hebra ${name}${operands === undefined ? "" : ` ${operands}`} [options]`,
    "",
    ...lines,
    ...details.flatMap((paragraph) => ["", ...wrap(paragraph)]),
    "",
    "Examples:",
    ...examples.flatMap(([line, what]) => [`  ${line}`, `      ${what}`]),
    "",
    EXIT_CODES,
  ].join("\n");
}

function wrap(paragraph: string): string[] {
  const lines: string[] = [""];
  for (const word of paragraph.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
