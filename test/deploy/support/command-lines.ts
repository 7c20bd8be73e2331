import { wholeNumber } from "@hebra/cli-kit";
import { readCommandLine } from "@hebra/cli-kit/testing";
import type { CommandName } from "../../../packages/hebra/src/cli/commands.ts";
import { program } from "../../../packages/hebra/src/cli/program.ts";

/** A command line of `hebra`, as the command itself reads it. */
export interface CommandLine {
  command: CommandName | `${"flags" | "rollout" | "migrate"} ${string}`;
  options: Readonly<Record<string, string | boolean | undefined>>;
}

/** Reads a line with the parser of the command itself. @throws Error that says what `hebra` would not take */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { path, command, options } = readCommandLine(program, args);
  for (const [option, value] of Object.entries(options)) {
    const { argument } = command.options[option]!;
    if (argument === "N" || argument === "MS") wholeNumber(option, value, 0);
  }
  return { command: path.join(" ") as CommandLine["command"], options };
}

/**
 * The lines of a document's shell blocks and code spans that call `hebra`, also behind `docker compose exec` and the
 * like.
 */
export function commandLinesOf(markdown: string): { line: string; args: string[] }[] {
  const blocks = [...markdown.matchAll(/^ *```(?:sh|bash|console)\n([\s\S]*?)^ *```/gm)].map(([, code = ""]) =>
    code.replace(/\\\n\s*/g, " "),
  );
  const spans = [...markdown.replace(/^ *```[\s\S]*?^ *```/gm, "").matchAll(/`([^`\n]*hebra [^`\n]+)`/g)].map(
    ([, code = ""]) => code,
  );
  return (
    [...blocks, ...spans]
      .flatMap((code) => code.split("\n"))
      .map((line) => line.replace(/\s#\s.*$/, "").trim())
      // There, it is a namespace's and a secret's name, unless it runs something in a container.
      .map((line) => (line.startsWith("kubectl") ? (line.split(" -- ")[1] ?? "") : line))
      .flatMap((line) =>
        [...line.matchAll(/(?:^|\s|\.bin\/)hebra\s+([a-z][a-z-]*(?:\s[^|;&>]*)?)/g)].map(([, rest = ""]) => ({
          line,
          args: words(rest),
        })),
      )
  );
}

/** Words of a shell line, with quotes taken off. */
function words(text: string): string[] {
  return [...text.trim().matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}
