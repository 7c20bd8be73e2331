import { readFileSync } from "node:fs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */

/** @param {readonly Tally[]} tallies @returns {Tally} */
export function sum(tallies) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
  }
  return total;
}

/** One check. @param {boolean} ok @returns {Tally} */
export function one(ok) {
  return ok ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** The last line of `npm test`. @param {Tally} tally */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * Counts the tests in a report of vitest's JSON reporter. A file that could not even be loaded counts as one failure:
 * it
 * names no tests of its own.
 *
 * @param {string} json
 * @returns {Tally}
 */
export function tallyOfVitest(json) {
  const report = JSON.parse(json);
  /** @type {{ status: string, assertionResults: unknown[] }[]} */
  const files = report.testResults;
  const broken = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * What a stage wrote about itself; one failure when it died before it could.
 *
 * @param {string} file
 * @param {boolean} ok whether the command ended well
 * @param {(text: string) => Tally} [parse]
 * @returns {Tally}
 */
export function tallyOfFile(file, ok, parse = JSON.parse) {
  let tally;
  try {
    tally = parse(readFileSync(file, "utf8"));
  } catch {
    return one(false);
  }
  return ok || tally.failed > 0 ? tally : sum([tally, one(false)]);
}
