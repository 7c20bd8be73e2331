// Fills the marked places of documents from files that are compiled and run.
//   tsx scripts/sync-snippets.ts [--check]
//
// A place is `<!-- quickstart -->` … `<!-- /quickstart -->`. Name the text of a file between `// #region name` and
// `// #endregion` as `<!-- path/to/file.ts#name -->` … `<!-- /path/to/file.ts#name -->`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./lib/paths.mjs";

const aliases: Readonly<Record<string, string>> = { quickstart: "examples/quickstart/src/main.ts" };
const PLACE = /<!-- ([\w./-]+(?:#[\w-]+)?) -->\n([\s\S]*?)<!-- \/\1 -->/g;

/** The text of a file, or of one region of it, with the region's indentation taken off. */
export function snippet(text: string, region: string | undefined): string {
  if (region === undefined) return `${text.trim()}\n`;
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const end = lines.findIndex((line, index) => index > start && line.trim() === "// #endregion");
  if (start === -1 || end === -1) throw new Error(`there is no region "${region}"`);
  const body = lines.slice(start + 1, end);
  const indent = Math.min(
    ...body.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length),
  );
  return `${body
    .map((line) => line.slice(indent))
    .join("\n")
    .trim()}\n`;
}

/**
 * A document with its places filled.
 *
 * @param read - gives a file's text, or nothing when there is no such file
 */
export function fillPlaces(document: string, read: (path: string) => string | undefined): string {
  return document.replace(PLACE, (_place, name: string) => {
    const [path = "", region] = (aliases[name] ?? name).split("#");
    const text = read(path);
    if (text === undefined) throw new Error(`a place names ${path}, which does not exist`);
    return `<!-- ${name} -->\n\n\`\`\`ts\n${snippet(text, region)}\`\`\`\n\n<!-- /${name} -->`;
  });
}

/** The documents that may have places: the README and everything in docs/. */
export function documents(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path}`);
  const packages = readdirSync(join(root, "packages"))
    .map((name) => `packages/${name}/README.md`)
    .filter((path) => existsSync(join(root, path)));
  return ["README.md", ...packages, ...docs.sort()];
}

/** Each document as it should be, and as it is. */
export function syncedDocuments(): { path: string; expected: string; actual: string }[] {
  const read = (path: string): string | undefined =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
  return documents().map((path) => {
    const actual = read(path) ?? "";
    return { path, actual, expected: fillPlaces(actual, read) };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = syncedDocuments().filter(({ actual, expected }) => actual !== expected);
  for (const { path, expected } of stale) {
    if (process.argv.includes("--check")) console.error(`${path} is stale: run pnpm docs:sync`);
    else {
      writeFileSync(join(root, path), expected);
      console.log(`wrote ${path}`);
    }
  }
  if (process.argv.includes("--check") && stale.length > 0) process.exitCode = 1;
}
