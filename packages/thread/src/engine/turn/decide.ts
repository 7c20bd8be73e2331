import { HebraError } from "@hebra/core";
import { callStates, isTerminal, type CallStatus } from "../../store/states.ts";
import { addUsage } from "../rows/usage.ts";
import type {
  Continuation,
  Disposition,
  Outcome,
  PersonDecision,
  ReaskReason,
  TurnCall,
  TurnEffect,
  TurnEvent,
  TurnLimits,
  TurnPhase,
  TurnState,
} from "./turn-state.ts";

/** In which phases an event may come. What comes in another phase is late and changes nothing. */
export const turnEvents: Readonly<Record<TurnEvent["type"], readonly TurnPhase[]>> = {
  started: ["answering"],
  resumed: ["answering", "acting", "waiting"],
  answered: ["answering"],
  settled: ["acting"],
  "window-closed": ["acting"],
  decided: ["acting", "waiting"],
  "cancel-requested": ["answering", "acting", "waiting"],
  "time-spent": ["answering", "acting"],
  failed: ["answering", "acting", "waiting"],
};

const statusOf: Readonly<Record<Disposition, CallStatus>> = {
  run: "running",
  "ask-person": "awaiting_approval",
  refused: "failed",
  succeeded: "succeeded",
  failed: "failed",
};

const decisionStatus: Readonly<Record<PersonDecision, CallStatus>> = {
  approved: "running",
  denied: "denied",
  expired: "expired",
  refused: "cancelled",
  "took-effect": "succeeded",
  "no-effect": "failed",
};

/** The engine runs it now. What a reactor runs itself, it runs in its next answer. */
const isRunning = ({ status, owned }: TurnCall) => status === "running" && owned !== true;

/** It came with its result: the reactor, or its model's provider, ran it while it answered. */
const cameSettled = ({ status, owned }: TurnCall) => owned === true && (status === "succeeded" || status === "failed");

/** Nobody but a person can move it on. */
const awaitsPerson = ({ status, asksPerson }: TurnCall) =>
  status === "awaiting_approval" || (status === "interrupted" && asksPerson === true);

type Decision = readonly [TurnState, readonly TurnEffect[]];

/**
 * The engine's whole mind: from where a turn is and what happened, to where it is then and what to do. Pure: the same
 * arguments always give the same answer, which is how a turn can be resumed by another process, and tested without one.
 */
export function decide(state: TurnState, event: TurnEvent, limits: TurnLimits): Decision {
  if (!turnEvents[event.type].includes(state.phase)) return [state, []];
  switch (event.type) {
    case "started":
      return [state, [{ type: "ask" }]];
    case "resumed":
      return resumed(state, event.askAbout, limits);
    case "answered":
      return answered(state, event, limits);
    case "settled":
      return settled(setSettled(state, event), event.inputWaiting, limits);
    case "window-closed":
      return [{ ...state, windowOpen: false }, [record({ then: "stay" })]];
    case "decided":
      return decided(state, event, limits);
    case "cancel-requested":
      return ended(state, { status: "cancelled", reason: "cancelled" });
    case "time-spent":
      return ended(state, { status: "incomplete", reason: "max-duration" });
    case "failed":
      return ended(state, { status: "failed", reason: "error" });
  }
}

function answered(state: TurnState, event: Extract<TurnEvent, { type: "answered" }>, limits: TurnLimits): Decision {
  const calls = event.calls.map(({ disposition, ...call }): TurnCall => ({ ...call, status: statusOf[disposition] }));
  const usage = {
    ...addUsage(state.usage, event.usage),
    steps: state.usage.steps + 1,
    calls: state.usage.calls + calls.length,
  };
  const signatures = { ...state.signatures };
  // What a reactor runs itself is its own affair: a provider may search three times with the same words.
  const counted = calls.filter(({ owned }) => owned !== true);
  for (const { signature } of counted) signatures[signature] = (signatures[signature] ?? 0) + 1;
  const requiredDone =
    state.requiredDone ||
    calls.some((call) => cameSettled(call) && call.status === "succeeded" && call.name === limits.requiredAction) ||
    (limits.requiredAction !== undefined && event.succeededSince?.includes(limits.requiredAction) === true);
  const next: TurnState = { ...state, calls, usage, signatures, requiredDone, windowOpen: false };

  // Calls that came with their results leave nothing to be told: unless the answer says that it goes on, it is whole.
  if (calls.length === 0 || (calls.every(cameSettled) && event.finishReason !== "other"))
    return final(next, event, limits);
  if (counted.some(({ signature }) => signatures[signature]! > limits.maxRepeatedCalls)) {
    return ended(next, { status: "incomplete", reason: "repeated-call" }, false);
  }
  const runnable = calls.filter((call) => call.status === "running").map((call) => call.callId);
  if (runnable.length === 0) return batchDone(next, event.inputWaiting, limits);
  const run: TurnEffect = { type: "run", callIds: runnable };
  // The window bounds for how long the answer is in this process alone.
  if (limits.recordReads === "with-results" && calls.every((call) => isRunning(call) && call.effect === "read"))
    return [{ ...next, phase: "acting", windowOpen: true }, [run, { type: "open-window" }]];
  return [{ ...next, phase: "acting" }, [record({ then: "stay" }), run]];
}

/** An answer that leaves no call open: the end of the turn, unless something is missing from it. */
function final(state: TurnState, event: Extract<TurnEvent, { type: "answered" }>, limits: TurnLimits): Decision {
  if (event.inputWaiting) return nextStep(state, limits);
  if (event.finishReason === "length" || event.finishReason === "content-filter") {
    return ended(state, { status: "incomplete", reason: event.finishReason }, false);
  }
  const missing: ReaskReason | undefined =
    limits.requiredAction !== undefined && !state.requiredDone
      ? "required-action"
      : event.outputValid
        ? undefined
        : "invalid-output";
  if (missing === undefined) return ended(state, { status: "completed", reason: "stop" }, false);
  if (state.reasks >= limits.maxReasks) return ended(state, { status: "incomplete", reason: missing }, false);
  return nextStep({ ...state, reasks: state.reasks + 1 }, limits, missing);
}

function settled(state: TurnState, inputWaiting: boolean, limits: TurnLimits): Decision {
  if (!state.calls.some(isRunning)) return batchDone(state, inputWaiting, limits);
  if (state.windowOpen) return [state, []];
  return [{ ...state, windowOpen: true }, [{ type: "open-window" }]];
}

function decided(state: TurnState, event: Extract<TurnEvent, { type: "decided" }>, limits: TurnLimits): Decision {
  const call = state.calls.find(({ callId }) => callId === event.callId);
  if (call === undefined || !awaitsPerson(call)) return [state, []];
  const tellsOutcome = event.decision === "took-effect" || event.decision === "no-effect";
  if (tellsOutcome !== (call.status === "interrupted")) return [state, []];
  const next = setStatus(state, event.callId, decisionStatus[event.decision]);
  if (event.decision === "approved" && call.owned !== true) {
    return [{ ...next, phase: "acting" }, [record({ then: "stay" }), { type: "run", callIds: [event.callId] }]];
  }
  if (next.calls.some(isRunning)) return [next, [record({ then: "stay" })]];
  return batchDone(next, false, limits);
}

/** After a crash: what was asked for and may run again runs again; what may have taken effect is not touched. */
function resumed(state: TurnState, askAbout: readonly string[], limits: TurnLimits): Decision {
  if (state.phase === "waiting") return [state, []];
  // The attempt is on record before anything is tried: a turn that kills its process must not be resumed for ever.
  if (state.calls.length === 0) return [{ ...state, phase: "answering" }, [record({ then: "stay" }), { type: "ask" }]];
  const calls = state.calls.map((call): TurnCall => {
    if (!isRunning(call) || call.effect !== "write") return call;
    return { ...call, status: "interrupted", ...(askAbout.includes(call.callId) && { asksPerson: true }) };
  });
  const next: TurnState = { ...state, calls, phase: "acting", windowOpen: false };
  const running = calls.filter(isRunning).map(({ callId }) => callId);
  if (running.length === 0) return batchDone(next, false, limits);
  return [next, [record({ then: "stay" }), { type: "run", callIds: running }]];
}

/** No call runs any more: wait for people, or go on, or end. */
function batchDone(state: TurnState, inputWaiting: boolean, limits: TurnLimits): Decision {
  if (state.calls.some(awaitsPerson)) {
    return [{ ...state, phase: "waiting", windowOpen: false }, [record({ then: "wait" })]];
  }
  const requiredDone =
    state.requiredDone ||
    state.calls.some(({ name, status }) => name === limits.requiredAction && status === "succeeded");
  const failedSteps = state.calls.some(({ status, owned }) => status === "succeeded" || (status === "running" && owned))
    ? 0
    : state.failedSteps + 1;
  const next: TurnState = { ...state, requiredDone, failedSteps };
  if (requiredDone && !inputWaiting) return ended(next, { status: "completed", reason: "required-action" }, false);
  if (failedSteps >= limits.maxFailedSteps) return ended(next, { status: "incomplete", reason: "no-progress" }, false);
  return nextStep(next, limits);
}

function nextStep(state: TurnState, limits: TurnLimits, reask?: ReaskReason): Decision {
  const tokens = (state.usage.inputTokens ?? 0) + (state.usage.outputTokens ?? 0);
  const spent =
    state.iteration + 1 >= limits.maxIterations
      ? "max-iterations"
      : tokens >= limits.maxTokens
        ? "max-tokens"
        : (state.usage.costUsd ?? 0) >= limits.maxCostUsd
          ? "max-cost"
          : undefined;
  if (spent !== undefined) return ended(state, { status: "incomplete", reason: spent }, false);
  const continuation: Continuation = reask === undefined ? { then: "next-step" } : { then: "next-step", reask };
  const next: TurnState = {
    ...state,
    phase: "answering",
    iteration: state.iteration + 1,
    calls: [],
    windowOpen: false,
  };
  return [next, [record(continuation), { type: "ask" }]];
}

/** @param working - whether a reactor or actions may be running and must be stopped first. */
function ended(state: TurnState, outcome: Outcome, working = true): Decision {
  const calls = state.calls.map((call): TurnCall =>
    isTerminal(callStates, call.status) || call.status === "interrupted" ? call : { ...call, status: "cancelled" },
  );
  const effects: TurnEffect[] = working ? [{ type: "stop-work" }] : [];
  return [{ ...state, calls, phase: "ended", windowOpen: false }, [...effects, record({ then: "end", outcome })]];
}

const record = (continuation: Continuation): TurnEffect => ({ type: "record", continuation });

function setStatus(state: TurnState, callId: string, status: CallStatus): TurnState {
  const index = state.calls.findIndex((call) => call.callId === callId);
  const call = state.calls[index];
  if (call === undefined) throw new HebraError("INTERNAL", `The step has no call ${callId}.`, { details: { callId } });
  if (isTerminal(callStates, call.status)) return state;
  return { ...state, calls: state.calls.with(index, { ...call, status }) };
}

function setSettled(state: TurnState, event: Extract<TurnEvent, { type: "settled" }>): TurnState {
  const { callId, ok, unknown, asksPerson } = event;
  const next = setStatus(state, callId, ok ? "succeeded" : unknown ? "interrupted" : "failed");
  if (asksPerson === undefined || next === state) return next;
  return { ...next, calls: next.calls.map((call) => (call.callId === callId ? { ...call, asksPerson } : call)) };
}
