import type { FinishReason, Usage } from "@hebra/reactor";
import type { ActionEffect, ExecutionUsage } from "../../store/rows.ts";
import type { CallStatus } from "../../store/states.ts";

/** Where a turn is. `answering`: a reactor thinks. `acting`: actions run. `waiting`: only people can move it on. */
export type TurnPhase = "answering" | "acting" | "waiting" | "ended";

/** One call of the current step. */
export interface TurnCall {
  readonly callId: string;
  readonly name: string;
  /** Equal for calls of the same action with the same input. */
  readonly signature: string;
  readonly effect: ActionEffect;
  readonly status: CallStatus;
  /** The reactor runs it, in its next answer after a person allowed it. */
  readonly owned?: true;
  /** It was cut off, and a person is to say what became of it. */
  readonly asksPerson?: true;
}

/** Everything that decides how a turn goes on. Plain data: no rows, no clocks, no functions. */
export interface TurnState {
  readonly phase: TurnPhase;
  readonly iteration: number;
  /** Of the current step. */
  readonly calls: readonly TurnCall[];
  readonly usage: ExecutionUsage;
  /** How often each signature was called in this turn. */
  readonly signatures: Readonly<Record<string, number>>;
  /** The required action has succeeded. */
  readonly requiredDone: boolean;
  /** Steps in a row whose calls all failed. */
  readonly failedSteps: number;
  readonly reasks: number;
  /** Some calls of the batch have settled and will be recorded soon, with or without the rest. */
  readonly windowOpen: boolean;
}

/** What is to be done with a call that the model asked for. */
export type Disposition = "run" | "ask-person" | "refused" | "succeeded" | "failed";

/** How a turn ended. */
export interface Outcome {
  readonly status: "completed" | "failed" | "cancelled" | "incomplete";
  /**
   * `stop`, `required-action`, `max-iterations`, `max-tokens`, `max-cost`, `max-duration`, `repeated-call`,
   * `no-progress`, `invalid-output`, `length`, `content-filter`, `cancelled`, `error`, …
   */
  readonly reason: string;
}

/** What a person said about a call, or that nobody did in time; of one that was cut off, whether it took effect. */
export type PersonDecision = "approved" | "denied" | "expired" | "refused" | "took-effect" | "no-effect";

/** What can happen to a turn. */
export type TurnEvent =
  | { type: "started" }
  | {
      type: "resumed";
      /** Calls of which a person is to say what became of them. */
      askAbout: readonly string[];
    }
  | {
      type: "answered";
      calls: readonly (Omit<TurnCall, "status"> & { disposition: Disposition })[];
      usage: Usage;
      finishReason: FinishReason;
      /** Whether the final text fits the output schema; true where none is asked for. */
      outputValid: boolean;
      /** Names of actions of earlier steps that the reactor was allowed to run, and that came back with success. */
      succeededSince?: readonly string[];
      /** Input came in meanwhile that this turn must still hear. */
      inputWaiting: boolean;
    }
  | {
      type: "settled";
      callId: string;
      ok: boolean;
      /** It took too long: whether it took effect is not known. */
      unknown?: true;
      /** A person is to say whether it took effect. */
      asksPerson?: true;
      inputWaiting: boolean;
    }
  | { type: "window-closed" }
  | { type: "decided"; callId: string; decision: PersonDecision }
  | { type: "cancel-requested" }
  | { type: "time-spent" }
  | { type: "failed" };

/** Why the model is asked once more instead of ending the turn. */
export type ReaskReason = "required-action" | "invalid-output";

/** What a record does besides writing what has come in. */
export type Continuation =
  | { then: "stay" }
  | { then: "next-step"; reask?: ReaskReason }
  | { then: "wait" }
  | { then: "end"; outcome: Outcome };

/** What the engine does next, in order. */
export type TurnEffect =
  | { type: "ask" }
  | { type: "record"; continuation: Continuation }
  | { type: "run"; callIds: readonly string[] }
  | { type: "open-window" }
  | { type: "stop-work" };

/** The limits that {@link TurnEvent}s are judged by. */
export interface TurnLimits {
  readonly maxIterations: number;
  readonly maxTokens: number;
  readonly maxCostUsd: number;
  readonly maxRepeatedCalls: number;
  readonly maxFailedSteps: number;
  readonly requiredAction: string | undefined;
  readonly maxReasks: number;
  readonly recordReads?: "at-once" | "with-results";
}

/** A turn that has not begun. */
export const initialTurn: TurnState = {
  phase: "answering",
  iteration: 0,
  calls: [],
  usage: { steps: 0, calls: 0 },
  signatures: {},
  requiredDone: false,
  failedSteps: 0,
  reasks: 0,
  windowOpen: false,
};
