import { errorCode, HebraError } from "@hebra/core";
import { isStoreError, isTakenOver, tooManyAttempts } from "../drive/turn-errors.ts";
import { storedError } from "../rows/stored-error.ts";
import { decide } from "./decide.ts";
import { ask, keepPartialAnswer } from "./effects/ask.ts";
import { record } from "./effects/record.ts";
import { callsToAskAbout, runCalls } from "./effects/run-calls.ts";
import { foldInbox } from "./fold-inbox.ts";
import { isInboxConflict } from "./inbox.ts";
import {
  assertHeld,
  createRunningTurn,
  lostReason,
  push,
  type RunningTurn,
  type TurnEnd,
  type TurnEnvironment,
  type TurnWork,
} from "./running-turn.ts";
import type { TurnEffect, TurnEvent } from "./turn-state.ts";

/**
 * Runs one turn: asks {@link decide} what to do and does it, one event after the other. Models and actions run beside
 * it; every write goes through here, in order.
 *
 * @throws HebraError `STALE_FENCE` or `LOCK_LOST` when another holder has taken over, and what the store throws when it
 * cannot be written to. The turn is then unfinished in the store, to be resumed.
 */
export async function runTurn(environment: TurnEnvironment, work: TurnWork): Promise<TurnEnd> {
  const turn = createRunningTurn(environment, work);
  if (work.handedOver.length > 0) turn.recorder.handedOver(work.handedOver);
  const stopListening = listen(turn);
  try {
    const parked = await runLoop(turn);
    return { rows: turn.rows, inboxSeq: turn.inboxSeq, parked };
  } catch (error) {
    if (isTakenOver(error) || work.signal.aborted || turn.state.phase === "ended") throw error;
    // An error of the definition's own functions fails the turn; an error of the store leaves it to be resumed.
    if (isStoreError(error)) throw error;
    turn.recorder.fail(storedError(error));
    await follow(turn, { type: "failed" });
    return { rows: turn.rows, inboxSeq: turn.inboxSeq, parked: false };
  } finally {
    turn.stop.abort(new HebraError("ABORTED", "The turn has ended."));
    stopListening();
  }
}

/** Turns the loss of the lease, inbox writes and the time limit into events. @returns stops listening */
function listen(turn: RunningTurn): () => void {
  const { environment, work, rows } = turn;
  const lost = () => {
    // Abort in-flight work immediately; the loop may be in the middle of a write.
    turn.stop.abort(lostReason(turn));
    push(turn, () => Promise.reject(lostReason(turn)));
  };
  if (work.signal.aborted) lost();
  work.signal.addEventListener("abort", lost, { once: true });
  // What cannot be read now is read after the next write, which says that the inbox has moved.
  const unwatch = environment.store.watch(
    environment.tenant,
    rows.context.id,
    () =>
      void foldInbox(turn).catch((error: unknown) =>
        environment.logger.warn("The inbox could not be read.", { code: errorCode(error) ?? null }),
      ),
  );
  const cancelTimer = startTimeLimit(turn);
  return () => {
    work.signal.removeEventListener("abort", lost);
    unwatch();
    cancelTimer();
  };
}

function startTimeLimit(turn: RunningTurn): () => void {
  const { environment, work, rows } = turn;
  const { clock } = environment;
  const { maxDurationMs } = environment.definition.policy;
  if (!Number.isFinite(maxDurationMs)) return () => {};
  const endsAt = (rows.execution.startedAt ?? clock.now()) + work.waitedMs + maxDurationMs;
  return clock.after(Math.max(0, endsAt - clock.now()), () => push(turn, () => ({ type: "time-spent" })));
}

/** @returns whether the turn waits for people */
async function runLoop(turn: RunningTurn): Promise<boolean> {
  const { environment, work, rows } = turn;
  push(turn, () => (work.resumed ? { type: "resumed", askAbout: callsToAskAbout(turn) } : { type: "started" }));
  // Before anything that may fail: input meant for this turn gets its place, however the turn ends.
  if (work.resumed) await foldInbox(turn);
  turn.services = await environment.definition.services({
    tenant: environment.tenant,
    threadKey: environment.threadKey,
    contextId: rows.context.id,
    executionId: turn.executionId,
  });
  if (rows.execution.attempt > environment.maxAttempts) throw tooManyAttempts(environment.maxAttempts);
  while (turn.state.phase !== "ended") {
    const take = turn.queue.shift();
    if (take === undefined) {
      // Nothing runs and only people can move it on: the worker is free for others.
      if (turn.state.phase === "waiting") return true;
      await new Promise<void>((resolve) => (turn.wake = resolve));
      continue;
    }
    const event = await take();
    if (event !== undefined) await follow(turn, event);
  }
  return false;
}

/** Decides on an event and performs what follows from it. */
async function follow(turn: RunningTurn, event: TurnEvent): Promise<void> {
  const before = turn.state;
  const [next, effects] = decide(before, event, turn.environment.definition.policy);
  turn.state = next;
  try {
    for (const effect of effects) await perform(turn, effect);
  } catch (error) {
    if (!isInboxConflict(error)) throw error;
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
      environment.clock.after(environment.settleWindowMs, () => push(turn, () => ({ type: "window-closed" })), {
        keepAlive: true,
      });
      return;
    case "stop-work":
      turn.stop.abort(new HebraError("ABORTED", "The turn was stopped."));
      return keepPartialAnswer(turn);
    case "record":
      return record(turn, effect.continuation);
  }
}
