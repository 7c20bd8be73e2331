import { currentActions } from "./ask.ts";
import { readDecisions, type FoundDecision } from "./inbox.ts";
import { push, type RunningTurn } from "./running-turn.ts";
import { deleted, markStoreError } from "./turn-errors.ts";
import type { TurnEvent } from "./turn-state.ts";

/** Reads what other processes have left in the inbox; one reading at a time, so that nothing is taken twice. */
export function foldInbox(turn: RunningTurn): Promise<void> {
  const next = turn.folding.catch(() => undefined).then(() => readInbox(turn));
  turn.folding = next;
  return next;
}

async function readInbox(turn: RunningTurn): Promise<void> {
  const { environment, executionId, rows, waitingInput, steered } = turn;
  const found = await readDecisions({
    store: environment.store,
    tenant: environment.tenant,
    executionId,
    rows,
    now: environment.clock.now(),
    known: [...waitingInput, ...steered.map(({ item }) => item)],
  });
  if (found.isGone) return leave(turn);
  waitingInput.push(...found.input);
  turn.cancelsJoined = found.cancelsJoined;
  if (found.cancelled) push(turn, () => ({ type: "cancel-requested" }));
  for (const decision of found.decisions) {
    await showGiven(turn, decision);
    push(turn, () => applyDecision(turn, decision));
  }
}

/** A result that a person gave is shown to the model as one that the action returned. */
async function showGiven(turn: RunningTurn, found: FoundDecision): Promise<void> {
  if (!("result" in found) || found.result.output === undefined) return;
  const { environment, rows, services } = turn;
  const call = rows.calls.find((row) => row.callId === found.callId && row.stepId === rows.step.id);
  const at = { state: rows.context.state, iteration: rows.step.iteration, services };
  const action = call && currentActions(environment, at).get(call.name);
  const { modelOutput } = (await action?.toModelOutput(found.result.output, call!.input)) ?? {};
  if (modelOutput !== undefined) found.result = { ...found.result, modelOutput };
}

/** Stops what is under way at once, and ends the turn in this process. */
function leave(turn: RunningTurn): void {
  const error = deleted(turn.executionId);
  markStoreError(error);
  turn.stop.abort(error);
  push(turn, () => Promise.reject(error));
}

function applyDecision({ rows, recorder, runnable }: RunningTurn, found: FoundDecision): TurnEvent {
  const { callId } = found;
  const call = rows.calls.find((row) => row.callId === callId && row.stepId === rows.step.id);
  // The same decision may be read twice.
  if (call?.status === "awaiting_approval" || call?.status === "interrupted") {
    if (found.decision === "approved") {
      runnable.delete(callId);
      recorder.approve(callId, found.input ?? call.input);
    } else {
      if (found.decision === "expired") recorder.closeApproval(callId, "expired");
      recorder.result(callId, found.result);
    }
  }
  return { type: "decided", callId, decision: found.decision };
}
