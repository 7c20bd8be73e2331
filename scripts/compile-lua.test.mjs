import assert from "node:assert/strict";
import { test } from "vitest";
import { generatedFiles } from "./compile-lua.ts";

test("every scripts.generated.ts holds what its .lua files say", () => {
  const files = generatedFiles();
  assert.ok(files.length > 0, "no package with .lua files was found");
  for (const { path, expected, actual } of files) {
    assert.equal(actual, expected, `${path} is stale: run \`npx tsx scripts/compile-lua.ts\``);
  }
});
