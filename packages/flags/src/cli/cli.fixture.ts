import { tokens } from "../admin/admin.fixture.ts";
import type { CliIo } from "./io.ts";
import { runCli } from "./run.ts";

/** What a command line left behind. */
export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Words, or `"quoted words"`. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);

/** A command line in this process, against an admin. */
export async function runLine(
  url: string,
  line: string,
  who: keyof typeof tokens | "nobody" = "ana",
  more: Partial<CliIo> = {},
): Promise<CliResult> {
  let [out, err] = ["", ""];
  const io: CliIo = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    fetch,
    url,
    token: who === "nobody" ? undefined : tokens[who],
    terminal: false,
    colour: false,
    size: () => ({ columns: 200, rows: 100 }),
    signal: new AbortController().signal,
    sleep: async () => {},
    ...more,
  };
  const code = await runCli(wordsOf(line), io);
  return { code, out, err };
}
