import { assertId, HebraError, type JsonValue } from "@hebra/core";
import type { Reactor, TranscriptMessage } from "@hebra/reactor";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { PartRow } from "../store/rows.ts";
import { defineAction, type Action } from "./define-action.ts";
import { resolvePolicy, type LoopPolicy, type ResolvedPolicy } from "./policy.ts";
import { resolvePromptBudget, type PromptBudget, type ResolvedPromptBudget } from "./prompt-budget.ts";

/** What instructions and phased actions are chosen by. */
export interface StepContext<State, Services> {
  state: State;
  /** Counts the model answers of this turn, from 0. */
  iteration: number;
  services: Services;
}

/** What phased actions are chosen by, and what defines them. */
export interface ActionsContext<State, Services> extends StepContext<State, Services> {
  /** As `defineAction`, with the types of the thread's state and services. */
  action<Input, Output>(action: Action<Input, Output, State, Services>): Action<Input, Output, State, Services>;
}

/** Which tenant and thread services are made for. No secret is kept: they are made again wherever a turn resumes. */
export interface ServicesContext {
  tenant: string;
  threadKey: string;
  contextId: string;
  /** The turn's execution, where they are made for one. */
  executionId?: string;
}

/** What a step is prepared by. */
export interface PrepareContext<State, Services> extends StepContext<State, Services> {
  /** What this turn has answered so far, with the results of its calls. */
  answered: readonly PartRow["content"][];
}

/**
 * A name to an action. AI SDK `tool()` objects are accepted as they are.
 *
 * Each must fit the thread's state and services; see {@link ActionsContext} for how an action gets their types.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- actions of different inputs and outputs meet here
export type ActionMap<State = any, Services = any> = Record<string, Action<any, any, State, Services> | ToolLike>;

/** What Hebra reads of an AI SDK `tool()` object. */
export interface ToolLike {
  description?: string | undefined;
  /** A Standard Schema, a zod schema or what the AI SDK makes of one, never a plain value. */
  inputSchema: object;
  outputSchema?: unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the AI SDK's own type is generic
  execute?: ((input: any, options: any) => unknown) | undefined;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  toModelOutput?: ((options: any) => unknown) | undefined;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  needsApproval?: boolean | ((input: any, options: any) => unknown) | undefined;
}

/** How long histories are kept short for the model. The items themselves stay. */
export interface Compaction<Services> {
  /**
   * Items since the last summary that make a new one; keep it under the engine's `historyItems`. With
   * `prompt.maxTokens`, items that fill half of it make one too. @defaultValue 30
   */
  everyItems?: number;
  /**
   * Sums up a piece of the conversation. It is kept as an item, and shown to the model before the newest items.
   *
   * @returns text that replaces `previous` and stands for the transcript.
   */
  summarize(piece: {
    previous: string | undefined;
    transcript: TranscriptMessage[];
    services: Services;
    signal: AbortSignal;
  }): string | Promise<string>;
}

/** How a kind of conversation behaves. */
export interface ThreadOptions<
  Schema extends StandardSchemaV1 = StandardSchemaV1,
  Services = unknown,
  Output = JsonValue,
> {
  /** Kept with every execution: a process that has no definition of this name leaves it alone. */
  name: string;
  /** Kept with every execution. Raise it when old turns could not go on under the new definition. @defaultValue 1 */
  version?: number;
  /** Standard Schema of the state document. @defaultValue any JSON object */
  state?: Schema;
  /** The state of a new context. @defaultValue {} */
  initialState?: StandardSchemaV1.InferInput<Schema>;
  /** Raise it when the document's form changes; `migrateState` then gets the old ones. @defaultValue 1 */
  stateVersion?: number;
  /** Turns a state document of an older version into the present form. */
  migrateState?(state: JsonValue, fromVersion: number): JsonValue;
  /** Passed to the reactor: a model instance or the name of one. A reactor with a model of its own ignores it. */
  model?: unknown;
  /**
   * Runs before each model answer, ahead of `instructions` and `actions`. What it returns replaces the state document,
   * and is
   * stored together with the answer; it runs again when the step does.
   *
   * @returns the whole document, or nothing to leave it as it is.
   */
  prepareStep?(
    context: PrepareContext<StandardSchemaV1.InferOutput<Schema>, Services>,
  ): StandardSchemaV1.InferInput<Schema> | undefined | Promise<StandardSchemaV1.InferInput<Schema> | undefined>;
  /** The system prompt, or a function of the state for each step. */
  instructions?:
    | string
    | ((context: StepContext<StandardSchemaV1.InferOutput<Schema>, Services>) => string | Promise<string>);
  /**
   * What the model may ask for. As a function: by phase, and with the types of the thread, as in
   * `({ action }) => ({ look: action({ … }) })`.
   */
  actions?:
    | ActionMap<StandardSchemaV1.InferOutput<Schema>, Services>
    | ((
        context: ActionsContext<StandardSchemaV1.InferOutput<Schema>, Services>,
      ) => ActionMap<StandardSchemaV1.InferOutput<Schema>, Services>);
  /** What thinks. @defaultValue the AI SDK reactor with `model` */
  reactor?: Reactor;
  policy?: LoopPolicy<Output>;
  /** How large a prompt may get, and how much of an action's result the model is shown. */
  prompt?: PromptBudget;
  /** Sums up long histories. @defaultValue the model sees the newest items alone */
  compaction?: Compaction<Services>;
  /** Made for each turn in each process: database handles, clients, tokens. Never stored. */
  services?(context: ServicesContext): Services | Promise<Services>;
}

/** A definition, checked and with its defaults filled in. Made by {@link defineThread}. */
export interface ThreadDefinition<State = unknown, Services = unknown, Output = JsonValue> {
  readonly name: string;
  readonly version: number;
  readonly stateSchema: StandardSchemaV1 | undefined;
  readonly initialState: JsonValue;
  readonly stateVersion: number;
  readonly migrateState: ((state: JsonValue, fromVersion: number) => JsonValue) | undefined;
  readonly model: unknown;
  readonly prepareStep: ((context: PrepareContext<State, Services>) => unknown) | undefined;
  instructions(context: StepContext<State, Services>): string | undefined | Promise<string | undefined>;
  actions(context: StepContext<State, Services>): ActionMap;
  readonly reactor: Reactor | undefined;
  readonly policy: ResolvedPolicy;
  readonly prompt: ResolvedPromptBudget;
  readonly compaction: Required<Compaction<Services>> | undefined;
  services(context: ServicesContext): Services | Promise<Services>;
  /** The type of a turn's `output`; there is no such member. */
  readonly __output?: Output;
}

/** A definition of any state and services. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- definitions of different types meet here alone
export type AnyThreadDefinition = ThreadDefinition<any, any, any>;

const DEFAULT_COMPACTION_ITEMS = 30;
const ACTION_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/**
 * Defines a kind of conversation: its state, its instructions, its actions, what thinks, and how far a turn may go.
 *
 * @throws HebraError `INVALID_OPTIONS` for a bad name, version or policy, or an action name that model providers
 * refuse.
 *
 * @example
 * ```ts
 * import { defineAction, defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/reactor/scripted";
 * import * as z from "zod";
 *
 * export const support = defineThread({
 *   name: "support",
 *   state: z.object({ orders: z.number() }),
 *   initialState: { orders: 0 },
 *   instructions: ({ state }) => `The customer has asked about ${state.orders} orders so far.`,
 *   actions: {
 *     find_order: defineAction({
 *       description: "Finds an order by its number.",
 *       input: z.object({ number: z.string() }),
 *       effect: "read",
 *       execute: ({ number }) => ({ number, status: "shipped" }),
 *     }),
 *   },
 *   reactor: scriptedReactor({ steps: [{ text: "How can I help?" }], repeatLast: true }),
 * });
 * ```
 */
export function defineThread<
  Schema extends StandardSchemaV1 = StandardSchemaV1<unknown, Record<string, unknown>>,
  Services = unknown,
  Output = JsonValue,
>(
  options: ThreadOptions<Schema, Services, Output>,
): ThreadDefinition<StandardSchemaV1.InferOutput<Schema>, Services, Output> {
  const where = `defineThread(${JSON.stringify(options.name)})`;
  assertId(options.name, "thread definition's name");
  const { instructions, actions, services } = options;
  if (typeof actions === "object") checkActions(actions, where);
  return {
    name: options.name,
    version: positiveInteger(options.version ?? 1, "version", where),
    stateSchema: options.state,
    initialState: (options.initialState ?? {}) as JsonValue,
    stateVersion: positiveInteger(options.stateVersion ?? 1, "stateVersion", where),
    migrateState: options.migrateState?.bind(options),
    model: options.model,
    prepareStep: options.prepareStep?.bind(options),
    instructions: typeof instructions === "function" ? instructions : () => instructions,
    actions:
      typeof actions === "function"
        ? (context) => checkActions(actions({ ...context, action: defineAction }), where)
        : () => actions ?? {},
    reactor: options.reactor,
    policy: resolvePolicy(options.policy ?? {}, `${where} policy`),
    prompt: resolvePromptBudget(options.prompt ?? {}, `${where} prompt`),
    compaction: options.compaction && {
      summarize: options.compaction.summarize.bind(options.compaction),
      everyItems: positiveInteger(
        options.compaction.everyItems ?? DEFAULT_COMPACTION_ITEMS,
        "compaction.everyItems",
        where,
      ),
    },
    services: (context) => services?.call(options, context) as Services | Promise<Services>,
  };
}

function positiveInteger(value: number, name: string, where: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new HebraError("INVALID_OPTIONS", `${where}: \`${name}\` must be a whole number from 1 on, not ${value}.`, {
    details: { where, name },
  });
}

function checkActions(actions: ActionMap, where: string): ActionMap {
  for (const [name, action] of Object.entries(actions)) {
    if (!ACTION_NAME.test(name))
      throw new HebraError(
        "INVALID_OPTIONS",
        `${where}: the action name ${JSON.stringify(name)} must be a letter or underscore and then at most 63 letters, digits, "_" or "-", as model providers ask.`,
        { details: { where, action: name } },
      );
    const problem = problemOf(action);
    if (problem !== undefined)
      throw new HebraError("INVALID_OPTIONS", `${where}: the action ${name} ${problem}.`, {
        details: { where, action: name },
      });
  }
  return actions;
}

/** What is wrong with an action, as a model would meet it only in production. */
function problemOf(action: unknown): string | undefined {
  if (typeof action !== "object" || action === null) return "is no object: use `defineAction` or `tool`";
  const { description, input, inputSchema, execute } = action as Record<string, unknown>;
  if (description !== undefined && typeof description !== "string") return "has a `description` that is no text";
  if (execute !== undefined && typeof execute !== "function") return "has an `execute` that is no function";
  const schema = "input" in action ? input : inputSchema;
  const isSchema = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  return isSchema ? undefined : `has no schema of its input: \`${"input" in action ? "input" : "inputSchema"}\``;
}
