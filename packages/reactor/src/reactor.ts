import type { JsonObject, JsonValue } from "@hebra/core";
import type { ReactorEvent } from "./events.ts";
import type { TranscriptMessage } from "./transcript.ts";

/** An action as a reactor sees it: a name, words and JSON Schemas. */
export interface ActionSpec {
  name: string;
  description: string;
  /** JSON Schema (draft 2020-12 or draft-07) of the input: always an object. */
  inputSchema: JsonObject;
}

/** Which actions the model may or must call in this step. */
export type ActionChoice = "auto" | "required" | "none" | { action: string };

/** Limits of one step. */
export interface ReactorLimits {
  /** @defaultValue the model's own */
  maxOutputTokens?: number;
}

/** Where in the engine a call of a reactor belongs. All are stable across a retry, but `attempt`. */
export interface ReactorIds {
  tenant: string;
  threadId: string;
  contextId: string;
  executionId: string;
  stepId: string;
  /** Counts from 0 inside the execution. */
  iteration: number;
  /** Counts from 1; more after a crash or a retry. */
  attempt: number;
}

/** What became of a reactor's question whether it may run an action of its own. */
export interface ReactorDecision {
  /** Of the `approval-request`. */
  callId: string;
  /**
   * `approved`: run it now, and send its `action-result` in this answer. Of the others the call is settled already, and
   * the model is to be told.
   */
  decision: "approved" | "denied" | "expired";
  /** The input to run it with, which a person may have changed. Only with `approved`. */
  input?: JsonValue;
  /** Why it may not run, in words for the model. Only without `approved`. */
  error?: string;
}

/** Everything that a reactor gets for one step. */
export interface ReactorInput {
  /** The conversation so far, oldest first; the running turn's own earlier steps are the last assistant message. */
  transcript: readonly TranscriptMessage[];
  /** The system prompt, already resolved. */
  instructions?: string;
  actions: readonly ActionSpec[];
  /** @defaultValue "auto" */
  actionChoice?: ActionChoice;
  /** The model as the definition names it; a reactor with a model of its own ignores it. */
  model?: unknown;
  /** JSON Schema that the final text must fit, when the thread asks for structured output. */
  outputSchema?: JsonObject;
  limits?: ReactorLimits;
  ids: ReactorIds;
  /** Aborts when the turn is cancelled or its lease is lost. The reactor must stop soon after. */
  signal: AbortSignal;
  /**
   * Answers to the `approval-request`s of the step before; those approved come again after a crash, until they have a
   * result. @defaultValue none
   */
  decisions?: readonly ReactorDecision[];
  /** What this reactor's last `session` event of this thread held. */
  session?: JsonValue;
}

/**
 * What thinks: one call is one step, that is one model answer. The events must keep the order that the contract kit of
 * `@hebra/reactor/testing` checks: parts open, grow and close; `usage` before `finish`; `finish` last, exactly once.
 * A failure is thrown, never an event. `PROMPT_TOO_LONG` makes the engine ask once more with a shorter transcript, by
 * `details.promptTokens` and `details.maxTokens` where they are known.
 */
export interface Reactor {
  /** The version of this contract. */
  readonly contract: "reactor-v1";
  /** Low-cardinality name for telemetry, e.g. `ai-sdk`. */
  readonly name: string;
  react(input: ReactorInput): AsyncIterable<ReactorEvent>;
  /** The reactor runs actions by itself (`ownedByReactor`). @defaultValue false */
  readonly runsActions?: boolean;
}
