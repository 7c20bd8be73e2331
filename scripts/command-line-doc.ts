// Writes docs/reference/command-line.md from the command table of `hebra`.
//   tsx scripts/command-line-doc.ts [--check]
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatted } from "./lib/formatted.mjs";
import { root } from "./lib/paths.mjs";

const page = "docs/reference/command-line.md";
const table = "packages/hebra/src/cli/program.ts";

const intro = `# Command line

Every command of \`hebra\`. \`hebra-flags\` and \`hebra-migrate\` run the same commands: \`hebra-flags list\` is \`hebra flags list\`,
\`hebra-flags rollout start\` is \`hebra rollout start\`, \`hebra-migrate plan\` is \`hebra migrate plan\`.

\`hebra help rollout advance\` or \`hebra rollout advance --help\` prints one section of this page. With \`--json\` standard output holds one
JSON object a line and nothing else: what a command found, or \`{"ok": false, "code", "message", "details"}\`. Codes are listed in
[errors](../errors.md). Control characters in text of others are shown escaped.

This page is written from \`${table}\` by \`pnpm docs:sync\`.
`;

/** The page as it should be, and as it is. */
export async function commandLinePage(): Promise<{ path: string; expected: string; actual: string }> {
  // Only loaded, so that checking types here needs no package's sources.
  const load = (file: string): Promise<unknown> => import(new URL(file, import.meta.url).href);
  const { program } = (await load("../packages/hebra/src/cli/program.ts")) as { program: object };
  const { commandReference } = (await load("../packages/cli-kit/src/reference.ts")) as {
    commandReference(of: object): string;
  };
  const path = join(root, page);
  return {
    path: page,
    expected: await formatted(page, `${intro}\n${commandReference(program)}\n`),
    actual: existsSync(path) ? readFileSync(path, "utf8") : "",
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { path, expected, actual } = await commandLinePage();
  if (process.argv.includes("--check")) {
    if (expected !== actual) console.error(`${path} is stale: run pnpm docs:sync`);
    process.exitCode = expected === actual ? 0 : 1;
  } else if (expected !== actual) {
    writeFileSync(join(root, path), expected);
    console.log(`wrote ${path}`);
  }
}
