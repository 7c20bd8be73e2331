import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { publishedPackages } from "../../scripts/lib/packages.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import { documents } from "../../scripts/sync-snippets.ts";

/** A piece of TypeScript in a comment or a document that claims to compile by itself. */
export interface CodeBlock {
  /** The file it is in, relative to the root. */
  file: string;
  /** The line of its first line of code. */
  line: number;
  code: string;
  /** Has elements of React. */
  jsx?: boolean;
  /** The directory whose dependencies it sees, absolute. */
  directory: string;
}

const jsx = (mark: string | undefined) => (mark === "x" ? { jsx: true } : {});
const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length;

/** The `ts` blocks that stand under an `@example` of a documentation comment. */
export function exampleBlocks(text: string): Pick<CodeBlock, "line" | "code" | "jsx">[] {
  const found: Pick<CodeBlock, "line" | "code" | "jsx">[] = [];
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const bare = comment[0]
      .split("\n")
      .map((line) => line.replace(/^\s*\*? ?/, ""))
      .join("\n");
    const examples = bare.split(/^(?=@\w)/m).filter((part) => part.startsWith("@example"));
    for (const example of examples) {
      const offset = bare.indexOf(example);
      for (const block of example.matchAll(/^```ts(x?)\n([\s\S]*?)^```/gm)) {
        const line = lineOf(text, comment.index) + lineOf(bare, offset + block.index);
        found.push({ line, code: block[2] ?? "", ...jsx(block[1]) });
      }
    }
  }
  return found;
}

/** The blocks of a document that are marked as complete: ` ```ts complete `. */
export function completeBlocks(text: string): Pick<CodeBlock, "line" | "code" | "jsx">[] {
  return [...text.matchAll(/^```ts(x?) complete\n([\s\S]*?)^```/gm)].map((block) => ({
    line: lineOf(text, block.index) + 1,
    code: block[2] ?? "",
    ...jsx(block[1]),
  }));
}

/** Every block of every package's documentation comments and of every document. */
export function codeBlocks(): CodeBlock[] {
  const sources = publishedPackages().flatMap(({ directory }) =>
    readdirSync(join(directory, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.tsx?$/.test(path) && !/\.test(-d)?\.tsx?$/.test(path))
      .map((path) => join(directory, "src", path))
      .flatMap((path) =>
        exampleBlocks(readFileSync(path, "utf8")).map((block) => ({
          ...block,
          file: relative(root, path),
          directory: join(directory, "src"),
        })),
      ),
  );
  // A package's own page sees what the package sees, itself included.
  const seenFrom = (path: string): string =>
    path.startsWith("packages/") ? join(root, dirname(path), "src") : join(root, "test");
  const pages = documents().flatMap((path) =>
    completeBlocks(readFileSync(join(root, path), "utf8")).map((block) => ({
      ...block,
      file: path,
      directory: seenFrom(path),
    })),
  );
  return [...sources, ...pages];
}
