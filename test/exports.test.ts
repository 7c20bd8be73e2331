import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { workspaceDirectories } from "../scripts/lib/install.mjs";
import { publishedPackages } from "../scripts/lib/packages.mjs";
import { root } from "../scripts/lib/paths.mjs";
import { entries } from "./support/module-graph.ts";

const packages = publishedPackages();
const json = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));

test.each(entries)("$specifier has its source, and names its targets after it", ({ file, package: name, subpath }) => {
  assert.ok(existsSync(file), "the source is missing");
  const target = packages.find(({ manifest }) => manifest.name === name)!.manifest.exports[subpath];
  assert.ok(typeof target === "object");
  expect(Object.keys(target)).toEqual(["@hebra/source", "types", "default"]);
  assert.equal(target["types"], target["default"]!.replace(/\.js$/, ".d.ts"));
});

test.each(entries)("$specifier names what it exports", ({ file }) => {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  for (const statement of source.statements) {
    const line = `line ${source.getLineAndCharacterOfPosition(statement.getStart()).line + 1}`;
    assert.ok(!ts.isExportAssignment(statement), `${line}: a default export`);
    if (ts.isExportDeclaration(statement))
      assert.ok(statement.exportClause !== undefined, `${line}: export * makes public whatever is added`);
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    assert.ok(!modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword), `${line}: a default export`);
  }
});

test("an index.ts is an entry, and nothing else is", () => {
  const known = new Set(entries.map(({ file }) => file));
  const sources = packages.flatMap(({ directory }) =>
    readdirSync(join(directory, "src"), { recursive: true, encoding: "utf8" }).map((path) =>
      join(directory, "src", path),
    ),
  );
  const strays = sources
    .filter((path) => /\/index\.tsx?$/.test(path) && !known.has(path))
    .map((path) => relative(root, path));
  assert.deepEqual(strays, []);
});

test("every published package shows its package.json and ships its source", () => {
  for (const { manifest, directory } of packages) {
    assert.equal(manifest.exports["./package.json"], "./package.json", manifest.name);
    const { files, sideEffects } = json(join("packages", directory.split("/").at(-1)!, "package.json")) as {
      files: string[];
      sideEffects: boolean;
    };
    assert.ok(files.includes("dist") && files.includes("src"), manifest.name);
    assert.equal(sideEffects, false, manifest.name);
  }
});

test("every published package has a part in what spans them all", () => {
  const names = packages.map(({ manifest }) => manifest.name).sort();
  const { fixed } = json(".changeset/config.json") as { fixed: string[][] };
  assert.deepEqual(fixed[0]?.toSorted(), names, "the fixed group of .changeset/config.json");
  const { references } = json("tsconfig.json") as { references: { path: string }[] };
  const projects = workspaceDirectories().filter(
    (directory) => directory !== "" && existsSync(join(root, directory, "tsconfig.json")),
  );
  assert.deepEqual(
    references.map(({ path }) => path).sort(),
    [...projects, "scripts"].sort(),
    "the references of tsconfig.json",
  );
});
