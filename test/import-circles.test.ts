import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { root } from "../scripts/lib/paths.mjs";
import { importCircles } from "./support/import-circles.ts";

const packages = readdirSync(join(root, "packages")).filter((name) => existsSync(join(root, "packages", name, "src")));

test.each(packages)("no files of packages/%s import each other in a circle, types included", (name) => {
  assert.deepEqual(importCircles(join(root, "packages", name, "src")), []);
});

test("a circle of types is found, and a test may close one", () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-circles-"));
  try {
    const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
    write("a.ts", 'import type { B } from "./b.ts";\nexport type A = B;\n');
    write("b.ts", 'export type B = import("./c.ts").C;\n');
    write("c.ts", 'export { type A as C } from "./a.ts";\n');
    write("d.ts", 'import "./a.ts";\nimport "./d.test.ts";\n');
    write("d.test.ts", 'import "./d.ts";\n');
    assert.deepEqual(
      importCircles(directory).map((circle) => circle.sort()),
      [["a.ts", "b.ts", "c.ts"]],
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
