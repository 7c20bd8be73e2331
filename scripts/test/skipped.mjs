/** Titles of tests that need data beside the repository say so. */
const NEEDS_SHARED = /\.\.\/shared/;

/**
 * The full names of the tests that a report of vitest's JSON reporter calls skipped. Those of files that another
 * project runs are not in the report.
 *
 * @param {string} json
 * @returns {string[]}
 */
export function skippedOfVitest(json) {
  /** @type {{ assertionResults: { status: string, fullName: string }[] }[]} */
  const files = JSON.parse(json).testResults;
  return files.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status !== "passed" && status !== "failed").map(({ fullName }) => fullName),
  );
}

/**
 * How many tests were skipped and why, as lines for a person: first those whose data is absent, then the others by
 * name, which says why.
 *
 * @param {readonly string[]} names
 * @returns {string[]}
 */
export function describeSkipped(names) {
  const shared = names.filter((name) => NEEDS_SHARED.test(name));
  const others = names.filter((name) => !NEEDS_SHARED.test(name));
  return [
    ...(shared.length === 0
      ? []
      : [
          `${shared.length} skipped because ../shared, which holds published suites and data, is not beside the repository (HEBRA_SHARED names another place; HEBRA_REQUIRE_SHARED=1 makes its absence a failure):`,
        ]),
    ...shared.map((name) => `  ${name}`),
    ...(others.length === 0 ? [] : [`${others.length} skipped for other reasons:`]),
    ...others.map((name) => `  ${name}`),
  ];
}
