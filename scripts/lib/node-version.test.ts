import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { minimum, nodeProblem } from "./node-version.mjs";
import { root } from "./paths.mjs";

test("the oldest version that will do is that of package.json", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
  assert.equal(`>=${minimum.replace(/\.0$/, "")}`, manifest.engines.node);
});

test("an older Node.js is told what to do, a newer one is let through", () => {
  for (const version of ["18.20.8", "20.18.3", "0.12.0"])
    assert.match(nodeProblem(version) ?? "", /20\.19\.0 or newer, and this is .*Install/);
  for (const version of ["20.19.0", "20.20.2", "22.0.0", "24.21.0", "100.1.1"])
    assert.equal(nodeProblem(version), undefined);
});
