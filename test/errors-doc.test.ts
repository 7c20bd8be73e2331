import assert from "node:assert/strict";
import { test } from "vitest";
import { errorCodes } from "@hebra/core";
import { errorsPage, readGroups, renderErrors } from "../scripts/errors-doc.ts";

test("docs/errors.md is what the table of codes says", async () => {
  const { expected, actual } = await errorsPage();
  assert.equal(actual, expected, "docs/errors.md is stale: run pnpm docs:sync");
});

test("every code has a heading", async () => {
  const { actual } = await errorsPage();
  const headings = [...actual.matchAll(/^### (\w+)$/gm)].map((match) => match[1]);
  assert.deepEqual(headings.toSorted(), Object.keys(errorCodes).sort());
});

test("codes are grouped by the comments above them", () => {
  const groups = readGroups(
    `  // Everywhere\n  A_CODE: entry("a", "b"),\n\n  // @hebra/lock\n  B: entry("a", "b", true),\n`,
  );
  assert.deepEqual(groups, [
    { title: "Everywhere", codes: ["A_CODE"] },
    { title: "@hebra/lock", codes: ["B"] },
  ]);
  assert.match(
    renderErrors(groups, {
      A_CODE: { summary: "s", fix: "f", retryable: false },
      B: { summary: "s", fix: "f", retryable: true },
    }),
    /### B\n\ns\n\n\*\*What to do:\*\* f\n\nRetryable: yes/,
  );
});
