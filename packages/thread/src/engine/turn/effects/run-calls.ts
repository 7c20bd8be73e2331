import type { JsonValue } from "@hebra/core";
import type { ActionContext } from "../../../definition/define-action.ts";
import type { NormalAction } from "../../../definition/normalize-action.ts";
import type { CallRow } from "../../../store/rows.ts";
import { storedError } from "../../rows/stored-error.ts";
import { currentActions } from "../ask.ts";
import { runCall, type FinishedCall } from "../run-call.ts";
import { push, type RunningTurn } from "../running-turn.ts";

/** Starts calls of the current step beside the loop. */
export async function runCalls(turn: RunningTurn, callIds: readonly string[]): Promise<void> {
  for (const callId of callIds) await start(turn, callId);
}

/** The calls that were cut off whose actions want a person to say what became of them. */
export function callsToAskAbout(turn: RunningTurn): string[] {
  const { rows } = turn;
  const cutOff = rows.calls.filter(
    ({ stepId, status, effect }) => stepId === rows.step.id && status === "running" && effect === "write",
  );
  if (cutOff.length === 0) return [];
  const actions = actionsOf(turn);
  return cutOff.filter(({ name }) => actions.get(name)?.asksWhenInterrupted).map(({ callId }) => callId);
}

const actionsOf = ({ environment, rows, services }: RunningTurn) =>
  currentActions(environment, { state: rows.context.state, iteration: rows.step.iteration, services });

async function start(turn: RunningTurn, callId: string): Promise<void> {
  const { rows, live, environment, work } = turn;
  const call = rows.calls.find((row) => row.callId === callId && row.stepId === rows.step.id)!;
  const found = turn.runnable.get(callId) ?? (await lookUp(turn, call));
  if ("result" in found) return settled(turn, callId, found);
  const { attempt } = rows.calls.find((row) => row.id === call.id)!;
  live.call(rows.step, "call-started", { callId, name: call.name, attempt });
  const context = actionContext(turn, call, attempt);
  const callSpan = work.telemetry.actionCall(call, found.action.spec);
  const { clock, random } = environment;
  void callSpan
    .run(() => runCall({ ...found, context, clock, random, retried: callSpan.retried }))
    .then((finished) => {
      callSpan.finished(finished.result);
      settled(turn, callId, finished);
    });
}

/** What runs a call that was resumed, or approved in another process. */
async function lookUp(
  turn: RunningTurn,
  call: CallRow,
): Promise<{ action: NormalAction; input: unknown } | FinishedCall> {
  const action = actionsOf(turn).get(call.name);
  if (action === undefined) {
    const error = { code: "ACTION_NOT_FOUND", message: `There is no action ${call.name} any more.`, retryable: false };
    return { result: { status: "failed", error }, state: undefined };
  }
  try {
    const input = await action.parse(call.input);
    if (turn.work.resumed) turn.recorder.rerun(call.callId);
    return { action, input };
  } catch (error) {
    return { result: { status: "failed", error: storedError(error) }, state: undefined };
  }
}

function actionContext(turn: RunningTurn, call: CallRow, attempt: number): ActionContext {
  const { rows, live, environment, executionId, stop, services } = turn;
  const { callId } = call;
  return {
    state: rows.context.state,
    services,
    signal: stop.signal,
    idempotencyKey: call.idempotencyKey,
    attempt,
    ids: {
      tenant: environment.tenant,
      threadId: rows.context.threadId,
      contextId: rows.context.id,
      executionId,
      stepId: call.stepId,
      callId,
    },
    emit: (data: JsonValue) => live.call(rows.step, "call-progress", { callId, progress: data }),
  };
}

function settled(turn: RunningTurn, callId: string, finished: FinishedCall): void {
  if (turn.stop.signal.aborted) return;
  turn.live.call(turn.rows.step, "call-settled", { callId, status: finished.result.status });
  push(turn, () => {
    turn.staged.set(callId, finished);
    return {
      type: "settled",
      callId,
      ok: finished.result.status === "succeeded",
      ...(finished.result.status === "interrupted" ? { unknown: true as const } : {}),
      ...(finished.result.asksPerson === undefined ? {} : { asksPerson: true as const }),
      inputWaiting: turn.waitingInput.length > 0,
    };
  });
}
