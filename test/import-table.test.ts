import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { mayImport } from "../scripts/eslint/import-table.mjs";
import { root } from "../scripts/lib/paths.mjs";

test("AGENTS.md shows the table that the rule enforces", () => {
  const text = readFileSync(join(root, "AGENTS.md"), "utf8");
  const rows = /<!-- import table -->\n([\s\S]*?)<!-- \/import table -->/.exec(text)?.[1] ?? "";
  const expected = Object.entries(mayImport).map(([name, allowed]) => [
    `\`@hebra/${name}\``,
    allowed.length === 0 ? "nothing of Hebra" : allowed.map((other) => `\`${other}\``).join(", "),
  ]);
  const shown = rows
    .trim()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  assert.deepEqual(shown, expected);
});
