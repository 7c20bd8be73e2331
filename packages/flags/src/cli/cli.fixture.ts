import type { Io } from "@hebra/cli-kit";
import { runCaptured, type Captured } from "@hebra/cli-kit/testing";
import { tokens } from "../admin/admin.fixture.ts";
import { program } from "./program.ts";

/** Words, or `"quoted words"`. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);

/** A command line in this process, against an admin. */
export function runLine(
  url: string | undefined,
  line: string,
  who: keyof typeof tokens | "nobody" = "ana",
  more: Partial<Io> = {},
): Promise<Captured> {
  const env = { HEBRA_FLAGS_URL: url, HEBRA_FLAGS_TOKEN: who === "nobody" ? undefined : tokens[who] };
  return runCaptured(program, wordsOf(line), { env, ...more });
}
