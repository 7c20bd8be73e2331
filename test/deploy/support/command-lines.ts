import { parseArgs } from "node:util";
import { commands, optionTable, type Command, type CommandName } from "../../../packages/hebra/src/cli/commands.ts";

/** A command line of `hebra`, as the command itself reads it. */
export interface CommandLine {
  command: CommandName;
  options: Readonly<Record<string, string | boolean | undefined>>;
}

/** @throws Error that says what `hebra` would not take */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [name = "", ...rest] = args;
  if (!Object.hasOwn(commands, name)) throw new Error(`hebra has no command ${name}`);
  const known: Command["options"] = commands[name as CommandName].options;
  const options = Object.fromEntries([...known, "help" as const].map((option) => [option, { type: optionTable[option].type }]));
  const { values } = parseArgs({ args: rest, options, strict: true, allowPositionals: false });
  for (const [option, value] of Object.entries(values)) {
    const entry = optionTable[option as keyof typeof optionTable];
    const numeric = "argument" in entry && (entry.argument === "N" || entry.argument === "MS");
    if (numeric && !/^\d+$/.test(String(value))) throw new Error(`hebra ${name} --${option} takes a whole number, not ${String(value)}`);
  }
  return { command: name as CommandName, options: values as CommandLine["options"] };
}

/** The lines of a document's shell blocks and code spans that call `hebra`, also behind `docker compose exec` and the like. */
export function commandLinesOf(markdown: string): { line: string; args: string[] }[] {
  const blocks = [...markdown.matchAll(/^ *```(?:sh|bash|console)\n([\s\S]*?)^ *```/gm)].map(([, code = ""]) => code.replace(/\\\n\s*/g, " "));
  const spans = [...markdown.replace(/^ *```[\s\S]*?^ *```/gm, "").matchAll(/`([^`\n]*hebra [^`\n]+)`/g)].map(([, code = ""]) => code);
  return [...blocks, ...spans]
    .flatMap((code) => code.split("\n"))
    .map((line) => line.replace(/\s#\s.*$/, "").trim())
    // There, it is a namespace's and a secret's name, unless it runs something in a container.
    .map((line) => (line.startsWith("kubectl") ? (line.split(" -- ")[1] ?? "") : line))
    .flatMap((line) => [...line.matchAll(/(?:^|\s|\.bin\/)hebra\s+([a-z][a-z-]*(?:\s[^|;&>]*)?)/g)].map(([, rest = ""]) => ({ line, args: words(rest) })));
}

/** Words of a shell line, with quotes taken off. */
function words(text: string): string[] {
  return [...text.trim().matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? "");
}
