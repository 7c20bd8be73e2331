import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { closingLine, sum, tallyOfFile, tallyOfVitest } from "./tally.mjs";

const file = (status: string, assertions: number) => ({
  status,
  assertionResults: Array.from({ length: assertions }, () => ({})),
});

test("a test file that cannot be loaded counts as a failure", () => {
  const report = {
    numPassedTests: 7,
    numFailedTests: 1,
    numPendingTests: 2,
    numTodoTests: 1,
    testResults: [file("passed", 7), file("failed", 4), file("failed", 0)],
  };
  assert.deepEqual(tallyOfVitest(JSON.stringify(report)), { passed: 7, failed: 2, skipped: 3 });
});

test("the closing line", () => {
  assert.equal(
    closingLine(
      sum([
        { passed: 1, failed: 0, skipped: 2 },
        { passed: 10, failed: 3, skipped: 0 },
      ]),
    ),
    "11 passed, 3 failed, 2 skipped",
  );
});

test("a stage that dies without a tally, or fails with a clean one, counts as a failure", () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-tally-"));
  try {
    const path = join(directory, "tally.json");
    assert.deepEqual(tallyOfFile(path, true), { passed: 0, failed: 1, skipped: 0 });
    writeFileSync(path, JSON.stringify({ passed: 3, failed: 0, skipped: 1 }));
    assert.deepEqual(tallyOfFile(path, true), { passed: 3, failed: 0, skipped: 1 });
    assert.deepEqual(tallyOfFile(path, false), { passed: 3, failed: 1, skipped: 1 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
