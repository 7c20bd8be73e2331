import { HebraError } from "@hebra/core";
import { isDeleted, isStoreError, isTakenOver } from "./turn-errors.ts";
import { storedError } from "../rows/stored-error.ts";
import { follow } from "./follow.ts";
import { createRunningTurn, type RunningTurn, type TurnEnd } from "./running-turn.ts";

/** Whether a turn stays as it is in the store after an error, to be resumed: nothing is wrong with the turn. */
export function mustLeave({ work }: RunningTurn, error: unknown): boolean {
  return isTakenOver(error) || isStoreError(error) || isDeleted(error) || work.signal.aborted;
}

/**
 * Ends a turn as failed, once, with the cause: an error of the definition's own functions, or a write that the store
 * refuses for good.
 */
export async function failTurn(turn: RunningTurn, error: unknown): Promise<TurnEnd> {
  turn.stop.abort(new HebraError("ABORTED", "The turn has failed."));
  turn.recorder.rollback();
  try {
    return await endFailed(turn, error);
  } catch (refused) {
    if (mustLeave(turn, refused)) throw refused;
    return failAfresh(turn, error);
  }
}

async function endFailed(turn: RunningTurn, error: unknown): Promise<TurnEnd> {
  turn.recorder.fail(storedError(error));
  await follow(turn, { type: "failed" });
  return { rows: turn.rows, inboxSeq: turn.inboxSeq, parked: false };
}

/** Ends a turn from what the store has of it: what came in since holds something that the store refuses. */
async function failAfresh({ environment, work, rows }: RunningTurn, error: unknown): Promise<TurnEnd> {
  const reloaded = await environment.reload(rows.execution.id, work.fence);
  if (reloaded === undefined) throw error;
  const { attempt } = rows.execution;
  reloaded.rows.execution = { ...reloaded.rows.execution, attempt };
  return endFailed(createRunningTurn(environment, { ...work, ...reloaded }), error);
}
