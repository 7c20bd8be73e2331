import { isGroup, type Command, type CommandTable } from "./command.ts";
import { exitCodeTable } from "./exit-codes.ts";
import { exampleLine } from "./parser.ts";
import type { Program } from "./command.ts";

/** The program's commands as Markdown: a section each, from the same table as the help. */
export function commandReference(program: Program): string {
  const sections = walk(program.commands, []).map(({ path, command }) => sectionOf(program, path, command));
  return [...sections, exitSection()].join("\n\n");
}

function walk(commands: CommandTable, before: readonly string[]): { path: readonly string[]; command: Command }[] {
  return Object.entries(commands).flatMap(([name, entry]) =>
    isGroup(entry) ? walk(entry.commands, [...before, name]) : [{ path: [...before, name], command: entry }],
  );
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

function sectionOf(program: Program, path: readonly string[], command: Command): string {
  const name = [program.name, ...path].join(" ");
  const rows = Object.entries(command.options).map(
    ([option, { argument, help, default: fallback }]) =>
      `| \`--${option}${argument === undefined ? "" : ` ${argument}`}\` | ${cell(help)} | ${cell(fallback ?? "")} |`,
  );
  return [
    `## ${name}`,
    command.summary,
    `\`\`\`text\n${[name, command.operands, "[options]"].filter(Boolean).join(" ")}\n\`\`\``,
    ...(rows.length === 0 ? [] : [["| option | what | default |", "| --- | --- | --- |", ...rows].join("\n")]),
    ...(command.details ?? []),
    `\`\`\`text\n${command.examples.map(([line, what]) => `${exampleLine(program, line)}   # ${what}`).join("\n")}\n\`\`\``,
  ].join("\n\n");
}

function exitSection(): string {
  const rows = exitCodeTable.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return ["## Exit codes", ["| code | meaning |", "| --- | --- |", ...rows].join("\n")].join("\n\n");
}
