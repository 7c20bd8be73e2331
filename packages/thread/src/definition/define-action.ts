import type { JsonValue } from "@hebra/core";
import type { ModelOutputPart } from "@hebra/reactor";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ActionEffect } from "../store/rows.ts";

/** Where in the engine a call belongs. */
export interface CallIds {
  tenant: string;
  threadId: string;
  contextId: string;
  executionId: string;
  stepId: string;
  callId: string;
}

/** What an action gets besides its input. */
export interface ActionContext<State = unknown, Services = unknown> {
  /** The thread's state as of the last commit. Change it by returning {@link withState}. */
  readonly state: State;
  /** What the definition's `services` made for this tenant. */
  readonly services: Services;
  /** Aborts when the turn is cancelled, the call times out or the lease is lost. */
  readonly signal: AbortSignal;
  /** The same for every try of this call, also after a crash: what an outside system can deduplicate by. */
  readonly idempotencyKey: string;
  /** Counts from 1; more when the call runs again. */
  readonly attempt: number;
  readonly ids: CallIds;
  /** Shows progress to whoever listens to the stream. Not kept. */
  emit(data: JsonValue): void;
}

/** Whether a call waits for a person. */
export interface ApprovalRequirement {
  /** Shown to the person. */
  reason?: string;
  /** Milliseconds until the request expires and the model is told so. @defaultValue it does not expire */
  expiresInMs?: number;
}

/** What a model is shown of a result: a text, or pieces in order. */
export type ModelOutput = string | readonly ModelOutputPart[];

/** How often a failed call is tried again before the model is told. */
export interface ActionRetry {
  /** Tries in all. */
  attempts: number;
  /** Delay before the second try in milliseconds; doubles with each, with full jitter. @defaultValue 200 */
  baseMs?: number;
}

/** An action: something that the model may ask to have done. */
export interface Action<Input = unknown, Output = unknown, State = unknown, Services = unknown> {
  /** For the model: what it does and when to use it. */
  description: string;
  /**
   * Any Standard Schema (zod, valibot, arktype) of an object. What the model gives is validated before `execute` sees
   * it.
   */
  input: StandardSchemaV1<unknown, Input>;
  /**
   * When given, what `execute` returns is validated too. What does not fit is not kept; the call has succeeded all the
   * same, and the model is told so.
   */
  output?: StandardSchemaV1<unknown, Output>;
  /**
   * Does it. Throw to tell the model that it failed: the message is shown to the model.
   *
   * @returns JSON, or {@link withState} of it and a change of the thread's state. Values with a JSON form are kept in
   * it, e.g. a `Date` as its ISO text. A call is never tried again once this has returned.
   */
  execute(
    input: Input,
    context: ActionContext<State, Services>,
  ): Output | StateChange<Output, Partial<State>> | Promise<Output | StateChange<Output, Partial<State>>>;
  /**
   * What the model is shown in place of the output's JSON: text, pictures and files. A file is given by reference: an
   * `https:` or `data:` URL, or a `blob:` reference that `readFile` turns into one. It is made once, kept with the
   * result, and shown in every later turn too. When it throws, the model is shown the output.
   *
   * @param output - what `execute` returned; of a result that a person gave, its JSON
   * @defaultValue the output as JSON
   */
  toModelOutput?(output: Output, input: Input): ModelOutput | Promise<ModelOutput>;
  /**
   * Ask a person first; a function decides by the input, and asks unless it returns `false`. @defaultValue false
   */
  approval?:
    | boolean
    | ApprovalRequirement
    | ((input: Input) => boolean | ApprovalRequirement | Promise<boolean | ApprovalRequirement>);
  /**
   * What running it twice would do, which decides what happens to a call that a crash cut off: `read` and `idempotent`
   * run
   * again with the same key; `write` becomes `interrupted`, outcome unknown, and the model is told.
   *
   * @defaultValue "write"
   */
  effect?: ActionEffect;
  /**
   * Who is to say what became of a `write` that a crash or its time limit cut off. `tell-model`: the model is told that
   * it is unknown, and the turn goes on. `ask-person`: the turn waits for a person, who says that it took effect
   * (`engine.approve`, with its `output`) or that it did not (`engine.deny`).
   *
   * @defaultValue "tell-model"
   */
  whenInterrupted?: "tell-model" | "ask-person";
  /**
   * Milliseconds that one try may take. A `write` that takes longer may still take effect: it becomes `interrupted`
   * and is not tried again.
   *
   * @defaultValue 60 000
   */
  timeoutMs?: number;
  /** @defaultValue one try */
  retry?: ActionRetry;
}

/** An action of any types, as definitions hold it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the one place where actions of different types meet
export type AnyAction = Action<any, any, any, any>;

const STATE_CHANGE = Symbol.for("hebra.state-change");

/** An action's output together with a change of state. Made by {@link withState}. */
export interface StateChange<Output, Change = object> {
  readonly [STATE_CHANGE]: true;
  readonly output: Output;
  /** Members to replace. */
  readonly state: Change;
}

/**
 * Returns an action's output together with a change of the thread's state: members to replace. Changes of one batch are
 * applied in the order of the calls, validated by the definition's schema, and stored together with the results. A
 * member that the schema does not know is refused.
 */
export function withState<Output, const Change extends object>(
  output: Output,
  state: Change,
): StateChange<Output, Change> {
  return { [STATE_CHANGE]: true, output, state };
}

/** Whether an action returned {@link withState}. */
export function isStateChange(value: unknown): value is StateChange<unknown> {
  return typeof value === "object" && value !== null && STATE_CHANGE in value;
}

/**
 * Gives an action its types.
 *
 * @example
 * ```ts
 * import { defineAction } from "@hebra/thread";
 * import * as z from "zod";
 *
 * export const findOrder = defineAction({
 *   description: "Finds an order by its number.",
 *   input: z.object({ number: z.string() }),
 *   effect: "read",
 *   execute: ({ number }) => ({ number, status: "shipped" }),
 * });
 * ```
 */
export function defineAction<Input, Output, State = unknown, Services = unknown>(
  action: Action<Input, Output, State, Services>,
): Action<Input, Output, State, Services> {
  return action;
}
