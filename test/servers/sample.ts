import fc from "fast-check";

/** Whether tests play every point instead of a sample: `npm run soak`. */
export const soak = process.env["HEBRA_SOAK"] === "1";

/** What the samples of this process are drawn with. `HEBRA_SEED` repeats a run. */
export const seed = Number(process.env["HEBRA_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/**
 * Draws some of the points of a test, and prints the seed. All of them under `HEBRA_SOAK=1`.
 *
 * @param name - of the test; another one draws others
 * @param points - in the order in which they are played
 * @param count - how many to draw
 * @returns them in their order
 */
export function sample<T>(name: string, points: readonly T[], count: number): T[] {
  if (soak || count >= points.length) return [...points];
  console.log(`${name}: ${count} of ${points.length} points (HEBRA_SEED=${seed} repeats them, npm run soak plays all)`);
  return draw(points, count, seed ^ fc.hash(name));
}

/** @returns as many distinct points, in their order */
export function draw<T>(points: readonly T[], count: number, seed: number): T[] {
  const some = fc.subarray([...points], { minLength: count, maxLength: count });
  return fc.sample(some, { seed, numRuns: 1 })[0]!;
}
