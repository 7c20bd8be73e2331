import { errorCode, HebraError } from "@hebra/core";
import { tooManyAttempts } from "./turn-errors.ts";
import { callsToAskAbout } from "./effects/run-calls.ts";
import { failTurn, mustLeave } from "./fail-turn.ts";
import { foldInbox } from "./fold-inbox.ts";
import { follow } from "./follow.ts";
import {
  createRunningTurn,
  lostReason,
  push,
  type RunningTurn,
  type TurnEnd,
  type TurnEnvironment,
  type TurnWork,
} from "./running-turn.ts";
import type { TurnEvent } from "./turn-state.ts";

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
    if (mustLeave(turn, error)) throw error;
    return await failTurn(turn, error);
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
  push(turn, () => firstEvent(turn));
  // Before anything that may fail: input meant for this turn gets its place, however the turn ends.
  if (work.resumed) await foldInbox(turn);
  turn.services = await environment.definition.services({
    tenant: environment.tenant,
    threadKey: environment.threadKey,
    contextId: rows.context.id,
    executionId: turn.executionId,
  });
  if (rows.execution.attempt > environment.maxAttempts)
    throw tooManyAttempts(environment.maxAttempts, environment.lastFailure);
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

function firstEvent(turn: RunningTurn): TurnEvent {
  if (turn.work.onlyCancel === true) return { type: "cancel-requested" };
  return turn.work.resumed ? { type: "resumed", askAbout: callsToAskAbout(turn) } : { type: "started" };
}
