import { commands, lookingVerbs, rolloutVerbs, type Command, type CommandName } from "./command-table.ts";
import { optionTable, type OptionName } from "./option-table.ts";

const WIDTH = 92;

/** The options of a command, in the order of the help. */
export function optionsOf(name: CommandName, verb?: string): readonly OptionName[] {
  const command: Command = commands[name];
  const own = verb === undefined ? command.options : (rolloutVerbs[verb]?.options ?? []);
  const reason: OptionName[] = verb !== undefined && !lookingVerbs.includes(verb) ? ["reason"] : [];
  const changes = own.includes("reason") || reason.length > 0;
  const reach: OptionName[] = command.local === true ? [] : ["url", "token"];
  return [...own, ...reason, ...(changes ? (["key"] as const) : []), ...reach, "json", "help"];
}

/** Lines of at most so many characters. */
function wrap(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) =>
    wrap(right, Math.max(30, WIDTH - width)).map((line, at) => `  ${(at === 0 ? left : "").padEnd(width)}  ${line}`),
  );
}

const optionRows = (names: readonly OptionName[]): (readonly [string, string])[] =>
  names.map((name) => {
    const option = optionTable[name];
    return [`--${name}${"argument" in option ? ` ${option.argument}` : ""}`, option.help] as const;
  });

const exitCodes = "Exit codes: 0 done, 1 refused or the verdict is no, 2 not understood, 3 not reached or not let in.";

/** The help of one command, of one verb of `rollout`, or of everything. */
export function helpText(name?: CommandName, verb?: string): string {
  if (name === undefined) {
    return [
      "hebra-flags says which engine serves, and moves rollouts.",
      "",
      "Usage: hebra-flags <command> [options]",
      "",
      ...columns(Object.entries(commands).map(([command, { summary }]) => [command, summary] as const)),
      "",
      ...wrap(
        "Most commands ask the admin handler of @hebra/flags/admin: set HEBRA_FLAGS_URL and HEBRA_FLAGS_TOKEN. simulate, validate-no-regression and perf-baseline need none.",
      ),
      "",
      exitCodes,
      "",
      "hebra-flags <command> --help tells more.",
      "",
    ].join("\n");
  }
  const command: Command = (verb === undefined ? undefined : rolloutVerbs[verb]) ?? commands[name];
  const operands =
    name === "rollout" && verb !== undefined
      ? [verb, "<flag>"]
      : (command.operands ?? []).map((operand) => `<${operand}>`);
  const lines = [command.summary, "", `Usage: hebra-flags ${[name, ...operands].join(" ")} [options]`, ""];
  if (name === "rollout" && verb === undefined)
    lines.push(
      "Verbs:",
      ...columns(Object.entries(rolloutVerbs).map(([one, { summary }]) => [one, summary] as const)),
      "",
      "hebra-flags rollout <verb> --help tells what it takes.",
      "",
    );
  lines.push("Options:", ...columns(optionRows(optionsOf(name, verb))), "");
  for (const detail of command.details ?? []) lines.push(...wrap(detail), "");
  lines.push(command.examples.length === 1 ? "Example:" : "Examples:");
  for (const [line, what] of command.examples) lines.push(`  ${line}`, `      ${what}`);
  return [...lines, "", exitCodes, ""].join("\n");
}
