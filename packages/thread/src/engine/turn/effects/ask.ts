import { isStoreError } from "../turn-errors.ts";
import type { Conversation } from "../../prompt/prompt.ts";
import { toShown, turnShown } from "../../prompt/transcript.ts";
import { replacesFrom } from "../../prompt/replaced.ts";
import { storedError } from "../../rows/stored-error.ts";
import { emptyAnswer } from "../answer.ts";
import { askReactor, type AskedAnswer } from "../ask.ts";
import { push, type RunningTurn } from "../running-turn.ts";
import type { TurnEvent } from "../turn-state.ts";

/** Asks the reactor for the step's answer, beside the loop. */
export function ask(turn: RunningTurn): void {
  const { environment, rows, steered, stop } = turn;
  turn.growing = emptyAnswer();
  const task = askReactor({
    environment,
    telemetry: turn.work.telemetry,
    rows,
    services: turn.services,
    signal: stop.signal,
    answer: turn.growing,
    live: turn.live.step(rows.step, rows.parts.length),
    conversation: () => conversationOf(turn),
    summaries: turn.summaries,
    hasNewInput: steered.some(({ iteration }) => iteration === rows.step.iteration),
  });
  task.then(
    (asked) => push(turn, () => answered(turn, asked)),
    (error: unknown) => {
      if (!stop.signal.aborted) push(turn, () => failed(turn, error));
    },
  );
}

async function conversationOf(turn: RunningTurn): Promise<Conversation> {
  const { environment, rows, steered } = turn;
  turn.history ??= environment.store
    .history(environment.tenant, rows.context.id, {
      items: environment.historyItems,
      upToSeq: (replacesFrom(rows.trigger) ?? rows.trigger.seq ?? 1) - 1,
    })
    .then(toShown);
  return { history: await turn.history, own: turnShown(rows.trigger, rows.reaction, rows.parts, steered) };
}

function failed(turn: RunningTurn, error: unknown): TurnEvent {
  // The history could not be read: the turn is resumed, as nothing is wrong with it.
  if (isStoreError(error)) throw error;
  keepPartialAnswer(turn);
  turn.recorder.fail(storedError(error));
  return { type: "failed" };
}

/** Records what has come of an answer that was cut off. */
export function keepPartialAnswer(turn: RunningTurn): void {
  if (turn.growing !== undefined) turn.recorder.answer(turn.growing, [], turn.environment.reactor.name);
  turn.growing = undefined;
}

function answered(turn: RunningTurn, asked: AskedAnswer): TurnEvent | undefined {
  if (turn.state.phase !== "answering") return undefined;
  const { answer, prepared, output, state: document } = asked;
  const { recorder, rows, runnable } = turn;
  turn.growing = undefined;
  runnable.clear();
  for (const { request, action, input } of prepared)
    if (action !== undefined) runnable.set(request.callId, { action, input });
  const succeededSince = rows.calls.flatMap(({ callId, name }) =>
    answer.results.get(callId)?.status === "succeeded" ? [name] : [],
  );
  recorder.answer(answer, prepared, turn.environment.reactor.name);
  turn.work.telemetry.asked(prepared);
  if (document !== undefined) recorder.setState(document);
  const isWhole = prepared.every(({ request }) => request.result !== undefined);
  if (output.valid && output.value !== undefined && isWhole) recorder.setOutput(output.value);
  return {
    type: "answered",
    calls: prepared.map(({ request, signature, effect, disposition }) => ({
      callId: request.callId,
      name: request.name,
      signature,
      effect,
      disposition,
      ...(request.owned && { owned: true as const }),
    })),
    usage: answer.usage,
    finishReason: answer.finishReason ?? "other",
    outputValid: output.valid,
    ...(succeededSince.length === 0 ? {} : { succeededSince }),
    inputWaiting: turn.waitingInput.length > 0,
  };
}
