import { HebraError } from "@hebra/core";
import type { RolloutState } from "../state.ts";
import type { RolloutCommit } from "./store.ts";

/** The refusal of a commit by what is stored; the same in every adapter. */
export function refusal(
  { state }: RolloutCommit,
  stored: Pick<RolloutState, "revision" | "fence"> | undefined,
): HebraError | undefined {
  const { flag } = state;
  const [revision, fence] = [stored?.revision ?? 0, stored?.fence ?? 0];
  if (state.fence < fence) {
    return new HebraError(
      "STALE_FENCE",
      `The rollout of ${flag} was written by a newer controller (fence ${fence}); this one has ${state.fence}.`,
      { details: { flag } },
    );
  }
  if (state.revision !== revision + 1) {
    return new HebraError(
      "ROLLOUT_CONFLICT",
      `The rollout of ${flag} is at revision ${revision}; this write expected ${state.revision - 1}.`,
      { details: { flag, revision } },
    );
  }
  return undefined;
}

/** @throws HebraError what {@link refusal} finds */
export function checkCommit(commit: RolloutCommit, stored: Pick<RolloutState, "revision" | "fence"> | undefined): void {
  const error = refusal(commit, stored);
  if (error !== undefined) throw error;
}
