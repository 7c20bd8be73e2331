import { quiet, verdict, type Guard } from "./types.ts";

/**
 * What needs no statistics: a declared operation without a single success over its last `n` attempts on the new engine,
 * or one occurrence of a listed
 * error class. Rolls back at once.
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
  return quiet("critical", "No critical failure.");
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
  return quiet(
    "persistence",
    checked === 0 ? "No execution was verified yet." : "Every verified execution is complete.",
    { checked, missing },
  );
};
