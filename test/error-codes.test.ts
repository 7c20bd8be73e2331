import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "vitest";
import { errorCodes } from "@hebra/core";
import { root } from "../scripts/lib/paths.mjs";

const table = "packages/core/src/error-codes.ts";
/** The clauses of a contract are tests too: those of its adapters run them. */
const isTest = /\.(test|test-d|fixture|contract)\.tsx?$|\/contract\//;

/** TypeScript files below a directory, relative to the root. */
function sources(directory: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file));
}

const all = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name, "src"))
  .filter((directory) => existsSync(join(root, directory)))
  .flatMap(sources);
const textOf = (files: readonly string[]) => files.map((file) => readFileSync(join(root, file), "utf8")).join("\n");
const raising = textOf(all.filter((file) => file !== table && !isTest.test(file)))
  // What a comment promises raises nothing.
  .replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
const testing = textOf([...all.filter((file) => isTest.test(file)), ...sources("test"), ...sources("examples")]);

/** A code in quotes that is not the name of a member, as it stands where an error is made. */
const raises = (code: string) => new RegExp(`["'\`]${code}["'\`](?!\\s*:)`).test(raising);

test("each error code is raised somewhere", () => {
  assert.deepEqual(
    Object.keys(errorCodes).filter((code) => !raises(code)),
    [],
  );
});

test("each error code is named by a test", () => {
  assert.deepEqual(
    Object.keys(errorCodes).filter((code) => !new RegExp(`\\b${code}\\b`).test(testing)),
    [],
  );
});
