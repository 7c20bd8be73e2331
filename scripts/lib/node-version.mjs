/** The oldest Node.js that everything here runs on; package.json#engines says the same. */
export const minimum = "20.19.0";

/**
 * Says what is wrong with a Node.js version.
 *
 * @param {string} version as `process.versions.node` gives it
 * @returns {string | undefined} what to do, or nothing when the version will do
 */
export function nodeProblem(version) {
  const have = version.split(".").map(Number);
  const want = minimum.split(".").map(Number);
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [have[i] || 0, want[i] || 0];
    if (a > b) return undefined;
    if (a < b)
      return `Hebra needs Node.js ${minimum} or newer, and this is ${version}. Install a newer one, for instance from https://nodejs.org, and run the command again.`;
  }
  return undefined;
}

/** Ends the process with a clear message when this Node.js is too old. */
export function requireNode() {
  const problem = nodeProblem(process.versions.node);
  if (problem === undefined) return;
  console.error(problem);
  process.exit(1);
}
