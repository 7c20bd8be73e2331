// Writes docs/errors.md from the one table of error codes.
//   tsx scripts/errors-doc.ts [--check]
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ErrorCodeEntry } from "../packages/core/src/error-codes.ts";
import { formatted } from "./lib/formatted.mjs";
import { root } from "./lib/paths.mjs";

const table = "packages/core/src/error-codes.ts";
const page = "docs/errors.md";

const intro = `# Errors

Every error that Hebra throws is a \`HebraError\` with a stable \`code\`. Branch on the code, never on the message: messages may be
reworded in any release, while a code is never renamed or given another meaning within a major version. \`HebraError.isInstance\` also
recognises errors that come from a second copy of a package.

\`\`\`ts complete
import { HebraError } from "@hebra/core";

export async function withPatience<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (HebraError.isInstance(error) && error.retryable) return call();
    throw error;
  }
}
\`\`\`

\`retryable\` says whether the same call, repeated unchanged, may succeed. \`details\` holds facts for machines, and never a secret. This
page is written from \`${table}\` by \`pnpm docs:sync\`.
`;

/** One group of codes: the comment above them in the table. */
interface Group {
  title: string;
  codes: string[];
}

/** The groups in the order of the table, read from its source: comments are not there at run time. */
export function readGroups(source: string): Group[] {
  const groups: Group[] = [];
  for (const line of source.split("\n")) {
    const title = /^ {2}\/\/ (.+)$/.exec(line)?.[1];
    if (title !== undefined) groups.push({ title, codes: [] });
    const code = /^ {2}([A-Z][A-Z0-9_]*): entry\(/.exec(line)?.[1];
    if (code !== undefined) groups.at(-1)?.codes.push(code);
  }
  return groups;
}

/** The whole page. */
export function renderErrors(groups: readonly Group[], entries: Readonly<Record<string, ErrorCodeEntry>>): string {
  const sections = groups.map(({ title, codes }) => {
    const parts = codes.map((code) => {
      const { summary, fix, retryable } = entries[code]!;
      return `### ${code}\n\n${summary}\n\n**What to do:** ${fix}\n\nRetryable: ${retryable ? "yes" : "no"}\n`;
    });
    return `## ${title}\n\n${parts.join("\n")}`;
  });
  return `${intro}\n${sections.join("\n")}`;
}

/** The page as it should be, and as it is. */
export async function errorsPage(): Promise<{ path: string; expected: string; actual: string }> {
  const { errorCodes } = await import("../packages/core/src/error-codes.ts");
  const groups = readGroups(readFileSync(join(root, table), "utf8"));
  let actual = "";
  try {
    actual = readFileSync(join(root, page), "utf8");
  } catch {
    // Not written yet.
  }
  return { path: page, expected: await formatted(page, renderErrors(groups, errorCodes)), actual };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { path, expected, actual } = await errorsPage();
  if (process.argv.includes("--check")) {
    if (expected !== actual) console.error(`${path} is stale: run pnpm docs:sync`);
    process.exitCode = expected === actual ? 0 : 1;
  } else if (expected !== actual) {
    writeFileSync(join(root, path), expected);
    console.log(`wrote ${path}`);
  }
}
