/**
 * How long each part of `npm test` may take, in seconds on two quiet cores. Stages name their slice; a slice that has
 * no stage is room that is kept for one.
 *
 * @typedef {{ name: string, seconds: number }} Slice
 * @typedef {{ slice: string, spent: number, allowed: number, verdict: Verdict }} SliceReport times in seconds
 * @typedef {"ok" | "over" | "too long"} Verdict
 */
export const slices = /** @type {const} */ ([
  { name: "lint, types, build, pack", seconds: 150 },
  { name: "unit and crash", seconds: 540 },
  { name: "other Nodes", seconds: 60 },
  { name: "chaos smoke", seconds: 60 },
  { name: "browser", seconds: 90 },
  { name: "Codex", seconds: 30 },
  { name: "ship", seconds: 90 },
  { name: "migration", seconds: 60 },
  { name: "docs", seconds: 45 },
  { name: "examples", seconds: 75 },
]);

/** @typedef {typeof slices[number]["name"]} SliceName */

/** Machines differ: a run fails only above this multiple of an allowance. */
export const TOLERANCE = 3;

/**
 * Adds up what ran, slice by slice. Slices of which nothing ran are left out.
 *
 * @param {readonly { slice?: string | undefined, milliseconds: number, unmet?: string | undefined }[]} outcomes
 * @param {readonly Slice[]} [table]
 * @returns {SliceReport[]}
 */
export function judgeSlices(outcomes, table = slices) {
  const ran = outcomes.filter(({ unmet }) => unmet === undefined);
  return table.flatMap(({ name, seconds: allowed }) => {
    const own = ran.filter(({ slice }) => slice === name);
    if (own.length === 0) return [];
    const spent = own.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1_000;
    const verdict = spent <= allowed ? "ok" : spent <= allowed * TOLERANCE ? "over" : "too long";
    return [{ slice: name, spent, allowed, verdict }];
  });
}

/**
 * @param {readonly SliceReport[]} reports
 * @returns {string[]}
 */
export function describeSlices(reports) {
  const lines = reports.map(
    ({ slice, spent, allowed, verdict }) =>
      `${slice.padEnd(28)}${spent.toFixed(0).padStart(5)} of ${String(allowed).padStart(4)} s   ${verdict}`,
  );
  if (reports.some(({ verdict }) => verdict !== "ok"))
    lines.push(
      `Allowances are for two quiet cores and machines differ, so a run fails only above ${TOLERANCE} times an allowance.`,
    );
  return lines;
}
