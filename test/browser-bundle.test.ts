import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import { test } from "vitest";
import { loadEsbuild } from "../scripts/lib/bundle-size.mjs";
import { root } from "../scripts/lib/paths.mjs";

/** Bundles an entry for a browser: anything of Node.js in it is an error. */
async function bundle(entry: string) {
  const { outputFiles } = await loadEsbuild(root).build({
    stdin: { contents: `export * from "@hebra/thread/${entry}";`, resolveDir: join(root, "test") },
    outdir: join(root, "out"),
    absWorkingDir: root,
    write: false,
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    conditions: ["@hebra/source"],
    external: ["react"],
    logLevel: "silent",
  });
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles;
  return { text: new TextDecoder().decode(contents), gzip: gzipSync(contents).length };
}

test.each([
  ["client", 6_000],
  ["react", 8_000],
])("@hebra/thread/%s bundles for a browser, within %i bytes gzipped", async (entry, most) => {
  const { text, gzip } = await bundle(entry);
  assert.ok(text.length > 1_000);
  assert.ok(!/["']node:/.test(text));
  assert.ok(gzip <= most, `${gzip} bytes`);
  console.log(`@hebra/thread/${entry}: ${gzip} bytes min+gzip`);
});

test("the hooks are for client components", () => {
  for (const file of ["index.ts", "hooks.ts"])
    assert.match(readFileSync(join(root, "packages/thread/src/react", file), "utf8"), /^"use client";/);
});

test("the client compiles without the types of a browser or of Node.js", { timeout: 60_000 }, () => {
  const program = ts.createProgram([join(root, "packages/thread/src/client/index.ts")], {
    strict: true,
    noEmit: true,
    types: [],
    lib: ["lib.es2024.d.ts"],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
  assert.deepEqual(problems, []);
});
