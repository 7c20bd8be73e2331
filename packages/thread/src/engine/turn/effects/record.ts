import type { CallRow } from "../../../store/rows.ts";
import { spill } from "../../blobs/spilled.ts";
import { mergeState } from "../../rows/state.ts";
import type { CallResult } from "../call-result.ts";
import { commitWithRetry } from "../commit-with-retry.ts";
import { foldInbox } from "../fold-inbox.ts";
import { isOwned } from "../owned-calls.ts";
import type { RunningTurn } from "../running-turn.ts";
import type { Continuation, Outcome } from "../turn-state.ts";

/** Writes what has come in since the last write, and what the continuation adds. */
export async function record(turn: RunningTurn, continuation: Continuation): Promise<void> {
  const { environment, work, recorder, rows } = turn;
  await stageResults(turn);
  if (continuation.then === "next-step") injectWaitingInput(turn);
  if (continuation.then === "end") injectWaitingInput(turn, releaseJoined(turn, continuation.outcome));
  const changes = recorder.build(continuation, turn.state);
  // Once a turn waits or ends, no worker listens, so it must have read its whole inbox.
  const readsAll = continuation.then === "wait" || continuation.then === "end";
  const guard = {
    fence: work.fence,
    expectedSeq: rows.context.seq,
    ...(readsAll ? { expectedInboxSeq: turn.inboxSeq } : {}),
  };
  // A reader of the journal finds every delta that was before.
  await environment.flush(turn.executionId);
  const committed = await commitWithRetry(environment, work, rows.context.id, guard, changes);
  recorder.committed(committed.seq);
  if (continuation.then !== "stay")
    work.telemetry.stepEnded(continuation.then === "next-step" ? "completed" : rows.step.status);
  for (const event of changes.events) environment.publish(event);
  if (committed.inboxSeq > turn.inboxSeq) {
    turn.inboxSeq = committed.inboxSeq;
    await foldInbox(turn);
  }
}

function injectWaitingInput(turn: RunningTurn, released: ReadonlySet<string> = new Set()): void {
  const { waitingInput, recorder, steered, rows } = turn;
  for (const item of waitingInput.splice(0)) {
    if (released.has(item.id)) {
      // The write may be refused, and decided anew.
      waitingInput.push(item);
      continue;
    }
    recorder.steer(item);
    steered.push({ item, iteration: rows.step.iteration + 1 });
  }
}

/**
 * Cancelling a message cancels what it began: those that joined its turn go on, unless they are cancelled too. @returns
 * the ids of their items
 */
function releaseJoined(turn: RunningTurn, { status }: Outcome): ReadonlySet<string> {
  const { cancelsJoined, waitingInput, steered, recorder } = turn;
  const goOn = status === "cancelled" && !cancelsJoined;
  return recorder.release(goOn ? [...waitingInput, ...steered.map(({ item }) => item)] : []);
}

/**
 * Records results in the order of their calls, each with its change of state. A result that breaks the state's schema
 * fails its call.
 */
async function stageResults(turn: RunningTurn): Promise<void> {
  const { rows, staged, recorder, environment } = turn;
  let document = rows.context.state;
  for (const call of rows.calls.filter(({ stepId }) => stepId === rows.step.id)) {
    const finished = staged.get(call.callId);
    if (finished === undefined) continue;
    staged.delete(call.callId);
    if (finished.result.note !== undefined)
      environment.logger.warn("The output of an action is not kept as it was.", {
        action: call.name,
        note: finished.result.note.message,
      });
    const result = await spill(finished.result, {
      blobs: environment.blobs,
      tenant: environment.tenant,
      contextId: rows.context.id,
      partId: call.partId,
      maxCharacters: environment.definition.prompt.maxResultCharacters,
      logger: environment.logger,
    });
    if (finished.state === undefined) {
      settle(turn, call, result);
      if (finished.result.asksPerson === true) recorder.askOutcome(call.callId, finished.result.question);
      continue;
    }
    const merged = await mergeState(environment.definition, document, finished.state);
    if (merged.ok) document = merged.state;
    settle(turn, call, merged.ok ? result : { status: "failed", error: merged.error });
  }
  if (document !== rows.context.state) recorder.setState(document);
  settleInterrupted(turn);
}

/**
 * Settles calls that are on record as running and unknown to this turn: a crash cut them off. A step that is left
 * behind is not looked at.
 */
function settleInterrupted(turn: RunningTurn): void {
  const { rows, state, recorder } = turn;
  for (const call of rows.calls.filter(
    (row) => row.stepId === rows.step.id && row.status === "running" && !isOwned(row, rows.parts),
  )) {
    const known = state.calls.find(({ callId }) => callId === call.callId);
    if (known !== undefined && known.status !== "interrupted") continue;
    const message = `${call.name} was cut off by a crash while it ran. Whether it took effect is unknown: check before doing it again.`;
    settle(turn, call, { status: "interrupted", error: { code: "ACTION_INTERRUPTED", message, retryable: false } });
    if (known?.asksPerson) recorder.askOutcome(call.callId);
  }
}

function settle({ work, recorder }: RunningTurn, call: CallRow, result: CallResult): void {
  work.telemetry.settled(call, result);
  recorder.result(call.callId, result);
}
