import { HebraError } from "@hebra/core";
import { runClause, type Clause } from "./contract/bench.ts";
import { intakeClauses } from "./contract/intake.ts";
import type { ChannelContractOptions } from "./contract/other-side.ts";
import { replyClauses } from "./contract/replies.ts";

export type { ChannelContractOptions, Heard, OtherSide, Refusal, Said } from "./contract/other-side.ts";

const clauses = { ...intakeClauses, ...replyClauses };

/** The title of one clause. */
export type ChannelClause = keyof typeof clauses;

/**
 * What a {@link Channel} means, as clauses to run against its real other side, or a server that speaks the same: title
 * →
 * function that throws an `AssertionError` where the channel breaks it. No test runner is imported; hand each clause to
 * yours.
 *
 * @param options - `skip`: what the other side has no means for, each with a reason
 * @throws HebraError `INVALID_OPTIONS` for a clause that does not exist, or a missing reason
 *
 * @example
 * ```ts
 * import { channelContract, type OtherSide } from "@hebra/thread/testing";
 *
 * export function clauses(create: () => Promise<OtherSide>) {
 *   return channelContract({ create, skip: { "a reply's id goes with it": "the other side has no place for it" } });
 * }
 * ```
 */
export function channelContract(
  options: ChannelContractOptions & { skip?: Partial<Record<ChannelClause, string>> },
): Partial<Record<ChannelClause, () => Promise<void>>> {
  const skip = options.skip ?? {};
  for (const [title, reason] of Object.entries(skip)) {
    if (!Object.hasOwn(clauses, title))
      throw new HebraError("INVALID_OPTIONS", `channelContract: there is no clause "${title}" to skip.`);
    if (reason.trim() === "")
      throw new HebraError("INVALID_OPTIONS", `channelContract: say why "${title}" is skipped.`);
  }
  const kept = Object.entries<Clause>(clauses).filter(([title]) => !Object.hasOwn(skip, title));
  return Object.fromEntries(kept.map(([title, clause]) => [title, () => runClause(clause, options)]));
}
