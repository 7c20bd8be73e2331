import { errorCode, HebraError, type Clock, type JsonValue, type Logger } from "@hebra/core";
import type { Reactor, TranscriptMessage } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import { normalizeActions, type NormalAction } from "../../definition/normalize-action.ts";
import type { CallRow, ItemRow } from "../../store/rows.ts";
import type { ThreadStore } from "../../store/store.ts";
import type { ThreadEvent } from "../../stream/envelope.ts";
import type { TurnTelemetry } from "../../telemetry/engine-telemetry.ts";
import { emptyAnswer, type Answer } from "./answer.ts";
import { askReactor, type AskedAnswer } from "./ask.ts";
import type { CallResult } from "./call-result.ts";
import { commitWithRetry } from "./commit-with-retry.ts";
import { decide } from "./decide.ts";
import { isInboxConflict, readDecisions } from "./inbox.ts";
import { createLiveWriter } from "./live-writer.ts";
import { isOwned } from "./owned-calls.ts";
import { createRecorder, type TurnRows } from "../rows/recorder.ts";
import { runCall, type FinishedCall } from "./run-call.ts";
import { mergeState } from "../rows/state.ts";
import { storedError } from "../rows/stored-error.ts";
import { toTranscript, turnTranscript } from "../prompt/transcript.ts";
import { isStoreError, isTakenOver, tooManyAttempts } from "../drive/turn-errors.ts";
import type { TurnEffect, TurnEvent, TurnState } from "./turn-state.ts";

/** What a turn needs of its process. */
export interface TurnEnvironment {
  tenant: string;
  threadKey: string;
  store: ThreadStore;
  definition: AnyThreadDefinition;
  reactor: Reactor;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Items of history that the model is shown. */
  historyItems: number;
  /** Milliseconds that a settled call waits for its siblings before it is recorded without them. */
  settleWindowMs: number;
  /** How often a turn may be begun and resumed before it fails. */
  maxAttempts: number;
  /** Turns a `blob:` reference into what a model can read. */
  readFile: ((url: string) => Promise<string>) | undefined;
  publish(event: ThreadEvent): void;
  /** What an ended turn sends: see `EngineOptions.outbox`. */
  outgoing?: ((rows: TurnRows) => readonly JsonValue[]) | undefined;
}

/** Where a turn begins or goes on. */
export interface TurnWork {
  rows: TurnRows;
  state: TurnState;
  telemetry: TurnTelemetry;
  resumed: boolean;
  /** Input that this turn heard before it was resumed. */
  steered: { item: ItemRow; iteration: number }[];
  fence: number;
  /** The inbox as far as it is known. */
  inboxSeq: number;
  /** Outbox rows that were handed over since the last write. */
  handedOver: readonly string[];
  /** Aborts when the lease is lost or the process stops: the turn is left to whoever comes next. */
  signal: AbortSignal;
  /** Milliseconds that the turn has waited for people so far: they do not count against its time. */
  waitedMs: number;
}

/** How a turn left this process. */
export interface TurnEnd {
  rows: TurnRows;
  inboxSeq: number;
  /** It waits for people, and holds no worker meanwhile. */
  parked: boolean;
}

/**
 * Runs one turn: asks {@link decide} what to do and does it, one event after the other. Models and actions run beside
 * it;
 * every write goes through here, in order.
 *
 * @throws HebraError `STALE_FENCE` or `LOCK_LOST` when another holder has taken over, and what the store throws when it
 * cannot be written to. The turn is then unfinished in the store, to be resumed.
 */
export async function runTurn(environment: TurnEnvironment, work: TurnWork): Promise<TurnEnd> {
  const { tenant, store, definition, clock, reactor, publish } = environment;
  const { policy } = definition;
  const recorder = createRecorder(tenant, work.rows, () => clock.now(), environment.outgoing);
  const { rows } = recorder;
  const executionId = rows.execution.id;
  const live = createLiveWriter({ tenant, contextId: rows.context.id, executionId, now: () => clock.now(), publish });
  const stop = new AbortController();
  const steered = [...work.steered];
  const waitingInput: ItemRow[] = [];
  const staged = new Map<string, FinishedCall>();
  const runnable = new Map<string, { action: NormalAction; input: unknown }>();
  let state = work.state;
  let inboxSeq = work.inboxSeq;
  let growing: Answer | undefined;
  let history: Promise<TranscriptMessage[]> | undefined;
  let parked = false;
  let folding: Promise<void> = Promise.resolve();

  const queue: (() => TurnEvent | undefined | Promise<never>)[] = [];
  let wake = () => {};
  const push = (next: () => TurnEvent | undefined | Promise<never>) => {
    queue.push(next);
    wake();
  };

  if (work.handedOver.length > 0) recorder.handedOver(work.handedOver);
  const lostReason = () =>
    work.signal.reason instanceof Error
      ? work.signal.reason
      : new HebraError("LOCK_LOST", "The lease of the thread was lost.");
  const lost = () => {
    // What is under way hears it now; this loop may be in the middle of a write.
    stop.abort(lostReason());
    push(() => Promise.reject(lostReason()));
  };
  /** Nothing more is begun once another may have begun it too. */
  const assertHeld = () => {
    if (work.signal.aborted) throw lostReason();
  };
  if (work.signal.aborted) lost();
  work.signal.addEventListener("abort", lost, { once: true });
  // What cannot be read now is read after the next write, which says that the inbox has moved.
  const unwatch = store.watch(
    tenant,
    rows.context.id,
    () =>
      void fold().catch((error: unknown) =>
        environment.logger.warn("The inbox could not be read.", { code: errorCode(error) ?? null }),
      ),
  );
  const cancelTimer = Number.isFinite(policy.maxDurationMs)
    ? clock.after(
        Math.max(0, (rows.execution.startedAt ?? clock.now()) + work.waitedMs + policy.maxDurationMs - clock.now()),
        () => push(() => ({ type: "time-spent" })),
      )
    : () => {};

  try {
    push(() => (work.resumed ? { type: "resumed", askAbout: askAbout(services) } : { type: "started" }));
    // Before anything that may fail: what was meant for this turn has its place, however it ends.
    if (work.resumed) await fold();
    const services: unknown = await definition.services({
      tenant,
      threadKey: environment.threadKey,
      contextId: rows.context.id,
      executionId,
    });
    if (rows.execution.attempt > environment.maxAttempts) throw tooManyAttempts(environment.maxAttempts);
    while (state.phase !== "ended") {
      const take = queue.shift();
      if (take === undefined) {
        // Nothing runs and only people can move it on: the worker is free for others.
        parked = state.phase === "waiting";
        if (parked) break;
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const event = await take();
      if (event === undefined) continue;
      await follow(event, services);
    }
  } catch (error) {
    if (isTakenOver(error) || work.signal.aborted) throw error;
    if (state.phase === "ended") throw error;
    // What the definition's own functions throw fails the turn; what the store throws leaves it to be resumed.
    if (isStoreError(error)) throw error;
    recorder.fail(storedError(error));
    await follow({ type: "failed" }, undefined);
  } finally {
    stop.abort(new HebraError("ABORTED", "The turn has ended."));
    work.signal.removeEventListener("abort", lost);
    unwatch();
    cancelTimer();
  }
  return { rows, inboxSeq, parked };

  /** Decides on an event and does what follows from it. */
  async function follow(event: TurnEvent, services: unknown): Promise<void> {
    const before = state;
    const [next, effects] = decide(before, event, policy);
    state = next;
    try {
      for (const effect of effects) await perform(effect, services);
    } catch (error) {
      if (!isInboxConflict(error)) throw error;
      // The turn was about to end or to wait, and somebody spoke: it hears them first, and decides again.
      recorder.undo();
      state = before;
      inboxSeq = Number((error as HebraError).details["inboxSeq"]);
      await fold();
      await follow("inputWaiting" in event ? { ...event, inputWaiting: waitingInput.length > 0 } : event, services);
    }
  }

  async function perform(effect: TurnEffect, services: unknown): Promise<void> {
    switch (effect.type) {
      case "ask":
        assertHeld();
        return void ask(services);
      case "run":
        assertHeld();
        for (const callId of effect.callIds) await start(callId, services);
        return;
      case "open-window":
        clock.after(environment.settleWindowMs, () => push(() => ({ type: "window-closed" })), { keepAlive: true });
        return;
      case "stop-work":
        stop.abort(new HebraError("ABORTED", "The turn was stopped."));
        if (growing !== undefined) recorder.answer(growing, [], reactor.name);
        growing = undefined;
        return;
      case "record": {
        await stageResults();
        if (effect.continuation.then === "next-step" || effect.continuation.then === "end") {
          for (const item of waitingInput.splice(0)) {
            recorder.steer(item);
            steered.push({ item, iteration: rows.step.iteration + 1 });
          }
        }
        const changes = recorder.build(effect.continuation, state);
        // What is left waiting, or has ended, has no worker that would hear of what comes later: it must have heard
        // everything.
        const hears = effect.continuation.then === "wait" || effect.continuation.then === "end";
        const guard = {
          fence: work.fence,
          expectedSeq: rows.context.seq,
          ...(hears ? { expectedInboxSeq: inboxSeq } : {}),
        };
        const committed = await commitWithRetry(environment, work, rows.context.id, guard, changes);
        recorder.landed(committed.seq);
        const { then } = effect.continuation;
        if (then !== "stay") work.telemetry.stepEnded(then === "next-step" ? "completed" : rows.step.status);
        for (const event of changes.events) publish(event);
        if (committed.inboxSeq > inboxSeq) {
          inboxSeq = committed.inboxSeq;
          await fold();
        }
      }
    }
  }

  function ask(services: unknown): void {
    growing = emptyAnswer();
    const firstIndex = rows.parts.length;
    const task = askReactor({
      environment,
      telemetry: work.telemetry,
      rows,
      services,
      signal: stop.signal,
      answer: growing,
      live: live.step(rows.step, firstIndex),
      transcript: async () => {
        history ??= store
          .history(tenant, rows.context.id, { items: environment.historyItems, upToSeq: (rows.trigger.seq ?? 1) - 1 })
          .then(toTranscript);
        return [...(await history), ...turnTranscript(rows.trigger, rows.reaction, rows.parts, steered)];
      },
      heardNow: steered.some(({ iteration }) => iteration === rows.step.iteration),
    });
    task.then(
      (asked) => push(() => answered(asked)),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        push(() => {
          if (growing !== undefined) recorder.answer(growing, [], reactor.name);
          growing = undefined;
          recorder.fail(storedError(error));
          return { type: "failed" };
        });
      },
    );
  }

  function answered({ answer, prepared, output, state: document }: AskedAnswer): TurnEvent | undefined {
    if (state.phase !== "answering") return undefined;
    growing = undefined;
    runnable.clear();
    for (const { request, action, input } of prepared)
      if (action !== undefined) runnable.set(request.callId, { action, input });
    const succeededSince = rows.calls.flatMap(({ callId, name }) =>
      answer.results.get(callId)?.status === "succeeded" ? [name] : [],
    );
    recorder.answer(answer, prepared, reactor.name);
    work.telemetry.asked(prepared);
    if (document !== undefined) recorder.setState(document);
    if (output.valid && output.value !== undefined && prepared.length === 0) recorder.setOutput(output.value);
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
      inputWaiting: waitingInput.length > 0,
    };
  }

  /** The calls that were cut off whose actions want a person to say what became of them. */
  function askAbout(services: unknown): string[] {
    const cutOff = rows.calls.filter(
      ({ stepId, status, effect }) => stepId === rows.step.id && status === "running" && effect === "write",
    );
    if (cutOff.length === 0) return [];
    const actions = normalizeActions(
      definition.actions({ state: rows.context.state, iteration: rows.step.iteration, services }),
    );
    return cutOff.filter(({ name }) => actions.get(name)?.asksWhenInterrupted).map(({ callId }) => callId);
  }

  async function start(callId: string, services: unknown): Promise<void> {
    const call = rows.calls.find((row) => row.callId === callId && row.stepId === rows.step.id)!;
    let found = runnable.get(callId);
    if (found === undefined) {
      // Resumed, or approved in another process: what runs it is looked up again.
      const action = normalizeActions(
        definition.actions({ state: rows.context.state, iteration: rows.step.iteration, services }),
      ).get(call.name);
      if (action === undefined) {
        const error = {
          code: "ACTION_NOT_FOUND",
          message: `There is no action ${call.name} any more.`,
          retryable: false,
        };
        return settled(callId, { result: { status: "failed", error }, state: undefined });
      }
      try {
        found = { action, input: await action.parse(call.input) };
      } catch (error) {
        return settled(callId, { result: { status: "failed", error: storedError(error) }, state: undefined });
      }
      if (work.resumed) recorder.rerun(callId);
    }
    const attempt = rows.calls.find((row) => row.id === call.id)!.attempt;
    live.call(rows.step, "call-started", { callId, name: call.name, attempt });
    const context = {
      state: rows.context.state,
      services,
      signal: stop.signal,
      idempotencyKey: call.idempotencyKey,
      attempt,
      ids: {
        tenant,
        threadId: rows.context.threadId,
        contextId: rows.context.id,
        executionId,
        stepId: call.stepId,
        callId,
      },
      emit: (data: JsonValue) => live.call(rows.step, "call-progress", { callId, progress: data }),
    };
    const told = work.telemetry.actionCall(call, found.action.spec);
    void told
      .run(() => runCall({ ...found, context, clock, random: environment.random, retried: told.retried }))
      .then((finished) => {
        told.finished(finished.result);
        settled(callId, finished);
      });
  }

  function settled(callId: string, finished: FinishedCall): void {
    if (stop.signal.aborted) return;
    live.call(rows.step, "call-settled", { callId, status: finished.result.status });
    push(() => {
      staged.set(callId, finished);
      return {
        type: "settled",
        callId,
        ok: finished.result.status === "succeeded",
        inputWaiting: waitingInput.length > 0,
      };
    });
  }

  /**
   * Results in the order of their calls, each with its change of state; one that breaks the state's schema fails its
   * call.
   */
  async function stageResults(): Promise<void> {
    const order = rows.calls.filter((call) => call.stepId === rows.step.id);
    let document = rows.context.state;
    const settle = (call: CallRow, result: CallResult) => {
      work.telemetry.settled(call, result);
      recorder.result(call.callId, result);
    };
    for (const call of order) {
      const finished = staged.get(call.callId);
      if (finished === undefined) continue;
      staged.delete(call.callId);
      if (finished.state === undefined) {
        settle(call, finished.result);
        continue;
      }
      const merged = await mergeState(definition, document, finished.state);
      if (merged.ok) document = merged.state;
      settle(call, merged.ok ? finished.result : { status: "failed", error: merged.error });
    }
    if (document !== rows.context.state) recorder.setState(document);
    for (const call of rows.calls.filter(
      (row) => row.stepId === rows.step.id && row.status === "running" && !isOwned(row, rows.parts),
    )) {
      // What is on record as running and is not on this turn's mind as such was cut off; a step that is left behind is
      // on it no more.
      const known = state.calls.find(({ callId }) => callId === call.callId);
      if (known !== undefined && known.status !== "interrupted") continue;
      const message = `${call.name} was cut off by a crash while it ran. Whether it took effect is unknown: check before doing it again.`;
      settle(call, { status: "interrupted", error: { code: "ACTION_INTERRUPTED", message, retryable: false } });
      if (known?.asksPerson) recorder.askOutcome(call.callId);
    }
  }

  /** Reads what other processes have left in the inbox; one reading at a time, so that nothing is taken twice. */
  function fold(): Promise<void> {
    const next = folding.catch(() => undefined).then(readInbox);
    folding = next;
    return next;
  }

  async function readInbox(): Promise<void> {
    const found = await readDecisions({
      store,
      tenant,
      executionId,
      rows,
      now: clock.now(),
      known: [...waitingInput, ...steered.map(({ item }) => item)],
    });
    waitingInput.push(...found.input);
    if (found.cancelled) push(() => ({ type: "cancel-requested" }));
    for (const decision of found.decisions) {
      push(() => {
        const call = rows.calls.find((row) => row.callId === decision.callId && row.stepId === rows.step.id);
        // The same decision may be read twice.
        if (call?.status === "awaiting_approval" || call?.status === "interrupted") {
          if (decision.decision === "approved") {
            runnable.delete(decision.callId);
            recorder.approve(decision.callId, decision.input ?? call.input);
          } else {
            if (decision.decision === "expired") recorder.closeApproval(decision.callId, "expired");
            recorder.result(decision.callId, decision.result);
          }
        }
        return { type: "decided", callId: decision.callId, decision: decision.decision };
      });
    }
  }
}
