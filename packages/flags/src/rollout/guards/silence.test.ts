import { expect, it } from "vitest";
import { compactBlocks, noCounts, type ArmCounts, type CounterBlock } from "../counters.ts";
import { createRandom } from "../workload.ts";
import { silence } from "./integrity.ts";
import { defaultGuardLimits } from "./types.ts";

const BLOCK_MS = 300_000;
const arm = (count: number): ArmCounts => ({ ...noCounts, assigned: count, exposed: count });

/** A step of 24 hours, looked at after each block. @returns the block at which the guard paused */
function step(
  random: () => number,
  share: number,
  perHour: number,
  shareAt = (_: number) => share,
): number | undefined {
  let blocks: CounterBlock[] = [];
  for (let at = 0; at < 288; at++) {
    const arrivals = perHour / 12;
    // Poisson arrivals, by their gaps.
    let [fresh, legacy] = [0, 0];
    for (let time = -Math.log(1 - random()) / arrivals; time < 1; time -= Math.log(1 - random()) / arrivals)
      if (random() < shareAt(at)) fresh++;
      else legacy++;
    const [start, end] = [at * BLOCK_MS, (at + 1) * BLOCK_MS];
    blocks = compactBlocks([...blocks, { start, end, new: arm(fresh), legacy: arm(legacy) }], 32);
    const said = silence({ share, restarts: 5, completed: [], blocks }, defaultGuardLimits);
    if (said.action === "pause") return at;
  }
  return undefined;
}

it.each([20, 60, 500])(
  "a healthy step of 24 hours at %i sessions an hour is not paused for silence in 400 runs [FL-4]",
  (perHour) => {
    const random = createRandom(perHour);
    const paused = Array.from({ length: 400 }, (_, at) => step(random, [0.01, 0.1, 0.25, 0.5][at % 4]!, perHour));
    expect(paused.filter((at) => at !== undefined)).toEqual([]);
  },
  60_000,
);

it.each([
  [0.1, 60],
  [0.5, 20],
  [0.25, 500],
])("an arm of share %f that falls silent after 12 hours at %i sessions an hour is found [FL-4]", (share, perHour) => {
  const random = createRandom(7);
  const found = Array.from({ length: 50 }, () => step(random, share, perHour, (at) => (at < 144 ? share : 0)));
  expect(found.every((at) => at !== undefined && at >= 144)).toBe(true);
});
