import { paint, seconds } from "../lib/log.mjs";
import { one, sum } from "./tally.mjs";

/**
 * @typedef {import("./stages.mjs").Stage} Stage
 * @typedef {import("./stages.mjs").StageContext} StageContext
 * @typedef {import("./tally.mjs").Tally} Tally
 * @typedef {{ name: string, slice?: string | undefined, tally: Tally, milliseconds: number, unmet?: string }} Outcome
 */

/**
 * Runs every stage, also after a failure, except those that need one that failed.
 *
 * @param {readonly Stage[]} stages
 * @param {StageContext} context
 * @param {(line: string) => void} say
 * @returns {Promise<Outcome[]>}
 */
export async function runStages(stages, context, say) {
  /** @type {Map<string, Outcome>} */
  const done = new Map();
  for (const [index, stage] of stages.entries()) {
    const label = `[${index + 1}/${stages.length}] ${stage.name}: ${stage.title}`;
    const unmet = stage.needs?.find((name) => done.get(name)?.tally.passed === 0);
    if (unmet !== undefined) {
      say(`${label} — not run, because ${unmet} failed`);
      done.set(stage.name, {
        name: stage.name,
        slice: stage.slice,
        tally: { passed: 0, failed: 0, skipped: 1 },
        milliseconds: 0,
        unmet,
      });
      continue;
    }
    say(paint("bold", label));
    const start = performance.now();
    let tally;
    try {
      tally = await stage.run(context);
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
      tally = { passed: 0, failed: 1, skipped: 0 };
    }
    const milliseconds = performance.now() - start;
    const failed = tally.failed > 0;
    say(
      paint(
        failed ? "red" : "green",
        `[${index + 1}/${stages.length}] ${stage.name} ${failed ? "FAILED" : "ok"} in ${seconds(milliseconds)}`,
      ),
    );
    done.set(stage.name, { name: stage.name, slice: stage.slice, tally, milliseconds });
  }
  return [...done.values()];
}

/**
 * What the whole run comes to. A slice that took too long counts as one failure.
 *
 * @param {readonly Outcome[]} outcomes
 * @param {readonly import("./slices.mjs").SliceReport[]} [slices]
 */
export function summary(outcomes, slices = []) {
  const tooLong = slices.filter(({ verdict }) => verdict === "too long").map(({ slice }) => slice);
  return {
    tally: sum([...outcomes.map((outcome) => outcome.tally), ...tooLong.map(() => one(false))]),
    failed: outcomes.filter((outcome) => outcome.tally.failed > 0).map((outcome) => outcome.name),
    tooLong,
  };
}
