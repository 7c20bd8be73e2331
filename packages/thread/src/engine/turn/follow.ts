import { HebraError } from "@hebra/core";
import { decide } from "./decide.ts";
import { ask, keepPartialAnswer } from "./effects/ask.ts";
import { record } from "./effects/record.ts";
import { runCalls } from "./effects/run-calls.ts";
import { foldInbox } from "./fold-inbox.ts";
import { isInboxConflict } from "./inbox.ts";
import { assertHeld, push, type RunningTurn } from "./running-turn.ts";
import type { TurnEffect, TurnEvent } from "./turn-state.ts";

/** Decides on an event and performs what follows from it. */
export async function follow(turn: RunningTurn, event: TurnEvent): Promise<void> {
  const before = turn.state;
  const [next, effects] = decide(before, event, turn.environment.definition.policy);
  turn.state = next;
  try {
    for (const effect of effects) await perform(turn, effect);
  } catch (error) {
    if (!isInboxConflict(error)) {
      turn.state = before;
      throw error;
    }
    // The turn was about to end or to wait when input came: it reads the input first, and decides again.
    turn.recorder.rollback();
    turn.state = before;
    turn.inboxSeq = Number((error as HebraError).details["inboxSeq"]);
    await foldInbox(turn);
    await follow(turn, "inputWaiting" in event ? { ...event, inputWaiting: turn.waitingInput.length > 0 } : event);
  }
}

async function perform(turn: RunningTurn, effect: TurnEffect): Promise<void> {
  const { environment } = turn;
  switch (effect.type) {
    case "ask":
      assertHeld(turn);
      return ask(turn);
    case "run":
      assertHeld(turn);
      return runCalls(turn, effect.callIds);
    case "open-window":
      turn.cancelWindow();
      turn.cancelWindow = environment.clock.after(
        environment.settleWindowMs,
        () => push(turn, () => ({ type: "window-closed" })),
        { keepAlive: true },
      );
      return;
    case "stop-work":
      turn.stop.abort(new HebraError("ABORTED", "The turn was stopped."));
      return keepPartialAnswer(turn);
    case "record":
      // A window belongs to its step: one of an earlier step would cut a later one's short.
      if (effect.continuation.then !== "stay") turn.cancelWindow();
      return record(turn, effect.continuation);
  }
}
