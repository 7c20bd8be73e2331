import assert from "node:assert/strict";
import { test } from "vitest";
import { fillPlaces, syncedDocuments } from "../scripts/sync-snippets.ts";

test("every marked place holds the text of its file", () => {
  for (const { path, actual, expected } of syncedDocuments())
    assert.equal(actual, expected, `${path} is stale: run pnpm docs:sync`);
});

test("the README's example is the quickstart, in at most 30 lines of code", () => {
  const readme = syncedDocuments().find(({ path }) => path === "README.md")!.actual;
  const code = /<!-- quickstart -->\n\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const lines = code.split("\n").filter((line) => line.trim() !== "");
  assert.ok(lines.length > 5 && lines.length <= 30, `${lines.length} lines`);
});

test("a place is filled from a file or from a region of it, which must be there", () => {
  const files: Record<string, string> = {
    "examples/quickstart/src/main.ts": "run();\n",
    "examples/x.ts": "before();\n  // #region middle\n  if (a) {\n    b();\n  }\n  // #endregion\nafter();\n",
  };
  const read = (path: string): string | undefined => files[path];
  const place = (name: string, body: string): string => `<!-- ${name} -->\n${body}<!-- /${name} -->`;
  assert.equal(
    fillPlaces(`# T\n${place("quickstart", "old\n")}\nend`, read),
    `# T\n${place("quickstart", "\n```ts\nrun();\n```\n\n")}\nend`,
  );
  assert.equal(
    fillPlaces(place("examples/x.ts#middle", ""), read),
    place("examples/x.ts#middle", "\n```ts\nif (a) {\n  b();\n}\n```\n\n"),
  );
  assert.throws(
    () => fillPlaces(place("examples/absent.ts", "old\n"), read),
    /names examples\/absent\.ts, which does not exist/,
  );
  assert.throws(() => fillPlaces(place("examples/x.ts#gone", ""), read), /no region "gone"/);
});
