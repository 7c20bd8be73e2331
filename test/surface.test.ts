import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { publishedPackages } from "../scripts/lib/packages.mjs";
import { root } from "../scripts/lib/paths.mjs";
import { entries } from "./support/module-graph.ts";

/** Most values that the root of `@hebra/thread` may export. */
const ROOT_VALUES = 30;

function filesBelow(directory: string, extension: RegExp): string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extension.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(node_modules|dist)\//.test(file));
}

/** What users read: guides, READMEs and examples. A page that is generated from the sources shows no use. */
const read = [
  join(root, "README.md"),
  ...filesBelow("docs/guide", /\.md$/),
  ...publishedPackages().map(({ directory }) => join(directory, "README.md")),
  ...filesBelow("examples", /\.ts$/),
  ...filesBelow("deploy", /\.(md|js|ts)$/),
]
  .map((file) => readFileSync(file, "utf8"))
  .join("\n");
const words = new Set(read.match(/[A-Za-z_$][\w$]*/g));

const valuesOf = async (file: string): Promise<string[]> => Object.keys((await import(file)) as object).sort();

test.each(entries)(
  "each value that $specifier exports is used by a guide, a README or an example",
  async ({ file }) => {
    assert.deepEqual(
      (await valuesOf(file)).filter((name) => !words.has(name)),
      [],
    );
  },
);

test(`the root of @hebra/thread exports at most ${ROOT_VALUES} values`, async () => {
  const { file } = entries.find(({ specifier }) => specifier === "@hebra/thread")!;
  const values = await valuesOf(file);
  assert.ok(values.length > 5 && values.length <= ROOT_VALUES, values.join(", "));
});
