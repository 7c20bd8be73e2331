import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { test } from "vitest";
import { root } from "../scripts/lib/paths.mjs";
import { codeBlocks, completeBlocks, exampleBlocks, type CodeBlock } from "./support/code-blocks.ts";

/** Type-checks blocks, each as a module of its own, in one program. Gives one line a mistake. */
function mistakes(blocks: readonly CodeBlock[]): string[] {
  const base = ts.parseConfigFileTextToJson(
    "tsconfig.base.json",
    readFileSync(join(root, "tsconfig.base.json"), "utf8"),
  ).config as { compilerOptions: object };
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    {
      ...base.compilerOptions,
      composite: false,
      declaration: false,
      emitDeclarationOnly: false,
      noEmit: true,
      moduleDetection: "force",
      jsx: "react-jsx",
    },
    root,
  );
  assert.deepEqual(errors, []);
  const byFile = new Map(
    blocks.map((block, index) => [
      join(block.directory, `example-${index}.${block.jsx === true ? "tsx" : "ts"}`),
      block,
    ]),
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, language) => {
    const block = byFile.get(name);
    return block === undefined
      ? getSourceFile.call(host, name, language)
      : ts.createSourceFile(name, block.code, language, true);
  };
  host.fileExists = (name) => byFile.has(name) || fileExists.call(host, name);
  host.readFile = (name) => byFile.get(name)?.code ?? readFile.call(host, name);
  host.getCurrentDirectory = () => root;
  const program = ts.createProgram([...byFile.keys()], options, host);
  return [...byFile].flatMap(([name, block]) => {
    const source = program.getSourceFile(name);
    const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return diagnostics.map((diagnostic) => {
      const line = block.line + (source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0);
      return `${block.file}:${line} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, " ")}`;
    });
  });
}

test(
  "every example in a documentation comment and every complete block in a document compiles",
  { timeout: 120_000 },
  () => {
    const blocks = codeBlocks();
    assert.ok(blocks.length > 0);
    assert.deepEqual(mistakes(blocks), []);
  },
);

test("a block that does not compile is named with its line", { timeout: 60_000 }, () => {
  const directory = join(root, "test");
  const code = `import { HebraError } from "@hebra/core";\n\nconst error: number = new HebraError("CLOSED", "It is closed.");\n`;
  const found = mistakes([{ file: "docs/planted.md", line: 10, code, directory }]);
  assert.equal(found.length, 1);
  assert.match(found[0]!, /^docs\/planted\.md:12 .*not assignable to type 'number'/);
});

test("blocks are found in comments and in documents, with their lines", () => {
  const source = [
    "const a = 1;",
    "/**",
    " * Text.",
    " *",
    " * @example",
    " * ```ts",
    " * run();",
    " *   then();",
    " * ```",
    " *",
    " * @throws x",
    " * ```ts",
    " * not an example",
    " * ```",
    " */",
  ].join("\n");
  assert.deepEqual(exampleBlocks(source), [{ line: 7, code: "run();\n  then();\n" }]);
  assert.deepEqual(completeBlocks("a\n```ts\nfragment\n```\n\n```ts complete\nwhole();\n```\n"), [
    { line: 7, code: "whole();\n" },
  ]);
});
