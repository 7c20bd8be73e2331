import { answerClauses } from "./contract/answers.ts";
import { endingClauses } from "./contract/endings.ts";
import { promptClauses } from "./contract/prompts.ts";
import type { Clause, ReactorContractOptions } from "./contract/scenario.ts";
import { HebraError } from "@hebra/core";

const clauses = { ...answerClauses, ...promptClauses, ...endingClauses };

/** The title of one clause. */
export type ReactorClause = keyof typeof clauses;

/**
 * What `reactor-v1` means, as clauses to run against a reactor: title → function that throws an `AssertionError` where
 * the
 * reactor breaks it. No test runner is imported; hand each clause to yours.
 *
 * @example
 * ```ts
 * import { scriptedReactor } from "@hebra/reactor";
 * import { reactorContract } from "@hebra/reactor/testing";
 *
 * const clauses = reactorContract({
 *   create: (model) =>
 *     scriptedReactor({
 *       steps: [(input) => { const { text } = model(JSON.stringify(input)); return text === undefined ? {} : { text };
 * }],
 *       repeatLast: true,
 *     }),
 *   skip: { "reasoning comes apart from the text": "this one gives text alone" },
 * });
 * for (const [title, clause] of Object.entries(clauses)) console.log(title, typeof clause);
 * ```
 */
export function reactorContract(
  options: ReactorContractOptions & { skip?: Partial<Record<ReactorClause, string>> },
): Partial<Record<ReactorClause, () => Promise<void>>> {
  const skip = options.skip ?? {};
  for (const [title, reason] of Object.entries(skip)) {
    if (!Object.hasOwn(clauses, title))
      throw new HebraError("INVALID_OPTIONS", `reactorContract: there is no clause "${title}" to skip.`);
    if (reason.trim() === "")
      throw new HebraError("INVALID_OPTIONS", `reactorContract: say why "${title}" is skipped.`);
  }
  const kept = Object.entries<Clause>(clauses).filter(([title]) => !Object.hasOwn(skip, title));
  return Object.fromEntries(kept.map(([title, clause]) => [title, () => clause(options)]));
}
