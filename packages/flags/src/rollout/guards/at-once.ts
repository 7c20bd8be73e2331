import { totals, type ArmCounts } from "../counters.ts";
import { noData, quiet, verdict, type Guard } from "./types.ts";

const noneSucceeded = (arm: ArmCounts, least: number): boolean => arm.calls >= least && arm.callFailures === arm.calls;

/**
 * What needs no statistics: a declared operation without a single success over its last `n` attempts on the new engine,
 * action calls of which none succeeds there although some do on the legacy engine, or one occurrence of a listed error
 * class. Rolls back at once.
 */
export const critical: Guard = (input, limits) => {
  for (const name of limits.criticalErrors) {
    const count = input.blocks.reduce((sum, block) => sum + (block.errorClasses?.[name] ?? 0), 0);
    if (count > 0)
      return verdict("critical", "rollback", `The error class ${name} occurred on the new engine.`, {
        occurrences: count,
      });
  }
  for (const [name, least] of Object.entries(limits.criticalOperations)) {
    let [attempts, successes] = [0, 0];
    for (let at = input.blocks.length - 1; at >= 0 && attempts < least; at--) {
      const counts = input.blocks[at]!.operations?.[name];
      attempts += counts?.attempts ?? 0;
      successes += counts?.successes ?? 0;
    }
    if (attempts >= least && successes === 0)
      return verdict(
        "critical",
        "rollback",
        `The operation ${name} had no success in ${attempts} attempts on the new engine.`,
        { attempts, atAttempts: least },
      );
  }
  const { new: fresh, legacy } = totals(input.blocks);
  const least = limits.criticalCalls;
  if (fresh.actionFailed >= limits.sessions && noneSucceeded(fresh, least) && !noneSucceeded(legacy, least))
    return verdict("critical", "rollback", `None of ${fresh.calls} action calls succeeded on the new engine.`, {
      attempts: fresh.calls,
      atAttempts: least,
    });
  const unseen = Object.keys(limits.criticalOperations).find(
    (name) => !input.blocks.some((block) => (block.operations?.[name]?.attempts ?? 0) > 0),
  );
  if (unseen !== undefined)
    return noData(
      "critical",
      `The operation ${unseen} was not attempted yet; \`record()\` of the collector tells of it.`,
    );
  if (fresh.judged === 0) return noData("critical", "No turn of the new engine was judged yet.");
  return quiet("critical", "No critical failure.", { newUnits: fresh.judged });
};

/**
 * Finished executions of the new arm, sampled and verified row by row: one missing row rolls back, because what is not
 * written cannot be handed over.
 */
export const persistence: Guard = (input) => {
  const { checked, missing } = input.persistence ?? { checked: 0, missing: 0 };
  if (missing > 0)
    return verdict("persistence", "rollback", `${missing} of ${checked} verified executions lack rows.`, {
      checked,
      missing,
    });
  if (checked === 0) return noData("persistence", "No execution was verified yet.");
  return quiet("persistence", "Every verified execution is complete.", { checked, missing });
};
