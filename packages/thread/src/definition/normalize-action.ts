import { assertJson, errorMessage, HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { toJsonSchema, validateAgainst, type ActionSpec, type ModelOutputPart } from "@hebra/reactor";
import type { ActionEffect } from "../store/rows.ts";
import {
  isStateChange,
  type ActionContext,
  type ActionRetry,
  type AnyAction,
  type ApprovalRequirement,
} from "./define-action.ts";
import type { ActionMap, ToolLike } from "./define-thread.ts";
import { makeModelOutput, type MadeModelOutput } from "./model-output.ts";
import { storableLine, storableText, toStorable } from "./storable.ts";

/** What an action did. */
export interface ActionOutput {
  output: JsonValue;
  /** Why the output is not kept, or in which way it is not as it was. */
  note?: string;
  /** The output is not kept. */
  notKept?: true;
  /** What the model is shown in place of the output. */
  modelOutput?: readonly ModelOutputPart[];
  /** Members of the state to replace. */
  state: Record<string, unknown> | undefined;
}

/** One form for our own actions and AI SDK tools. */
export interface NormalAction {
  readonly spec: ActionSpec;
  readonly effect: ActionEffect;
  /** A person is to say what became of it when a crash cuts it off. */
  readonly asksWhenInterrupted: boolean;
  /** It has no `execute`: its result comes by `engine.provideResult`. */
  readonly runsElsewhere: boolean;
  readonly timeoutMs: number;
  readonly retry: Required<ActionRetry>;
  /** @throws HebraError `ACTION_INPUT_INVALID` with a message for the model */
  parse(input: unknown): Promise<unknown>;
  /** What a person says that it gave. @throws HebraError `ACTION_OUTPUT_INVALID` */
  checkOutput(output: unknown): Promise<JsonValue>;
  /** What the model is shown of an output that a person gave. Never throws. */
  toModelOutput(output: JsonValue, input: JsonValue): Promise<MadeModelOutput>;
  /** Undefined when no person needs to be asked. */
  approval(input: unknown): Promise<ApprovalRequirement | undefined>;
  /** @throws whatever the action throws; never after it has returned */
  run(input: unknown, context: ActionContext): Promise<ActionOutput>;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const ONE_TRY = { attempts: 1, baseMs: 200 };
const cache = new WeakMap<object, NormalAction>();

/** The actions of one step by name. */
export function normalizeActions(actions: ActionMap): ReadonlyMap<string, NormalAction> {
  return new Map(Object.entries(actions).map(([name, action]) => [name, normalize(name, action)]));
}

function normalize(name: string, action: AnyAction | ToolLike): NormalAction {
  const known = cache.get(action);
  if (known?.spec.name === name) return known;
  const made = "input" in action ? fromAction(name, action) : fromTool(name, action);
  cache.set(action, made);
  return made;
}

function fromAction(name: string, action: AnyAction): NormalAction {
  return {
    spec: { name, description: action.description, inputSchema: toJsonSchema(action.input) },
    effect: action.effect ?? "write",
    asksWhenInterrupted: action.whenInterrupted === "ask-person",
    runsElsewhere: false,
    timeoutMs: action.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    retry: { ...ONE_TRY, ...action.retry },
    parse: (input) => parse(name, action.input, input),
    checkOutput: (output) => checkOutput(name, action.output, output),
    async approval(input) {
      const { approval } = action;
      return requirement(typeof approval === "function" ? await approval(input) : (approval ?? false));
    },
    toModelOutput: (output, input) =>
      makeModelOutput(action.toModelOutput && (() => action.toModelOutput!(output, input))),
    async run(input, context) {
      const returned: unknown = await action.execute(input, context);
      return keepReturned(
        action.output,
        returned,
        action.toModelOutput && ((output) => action.toModelOutput!(output, input)),
      );
    },
  };
}

function fromTool(name: string, tool: ToolLike): NormalAction {
  return {
    spec: { name, description: tool.description ?? "", inputSchema: toJsonSchema(tool.inputSchema) },
    effect: "write",
    asksWhenInterrupted: false,
    runsElsewhere: tool.execute === undefined,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    retry: ONE_TRY,
    parse: (input) => parse(name, tool.inputSchema, input),
    checkOutput: (output) => checkOutput(name, tool.outputSchema, output),
    async approval(input) {
      const { needsApproval } = tool;
      return requirement(typeof needsApproval === "function" ? await needsApproval(input, {}) : needsApproval === true);
    },
    toModelOutput: (output, input) =>
      makeModelOutput(tool.toModelOutput && (() => tool.toModelOutput!({ toolCallId: "", input, output }))),
    async run(input, context) {
      if (tool.execute === undefined)
        throw new HebraError("ACTION_FAILED", `The tool ${name} has no \`execute\`: it cannot run on the server.`);
      const options = {
        toolCallId: context.ids.callId,
        messages: [],
        abortSignal: context.signal,
        experimental_context: context,
      };
      const { toolCallId } = options;
      return keepReturned(
        tool.outputSchema,
        await lastOf(tool.execute(input, options)),
        tool.toModelOutput && ((output) => tool.toModelOutput!({ toolCallId, input, output })),
      );
    },
  };
}

const LONGEST_PERIOD_MS = 100 * 365 * 24 * 3_600_000;

/** Whether a person is asked: anything but `false` asks, as an action that runs unasked cannot be taken back. */
function requirement(asked: unknown): ApprovalRequirement | undefined {
  if (asked === false) return undefined;
  if (typeof asked !== "object" || asked === null) return {};
  const { reason, expiresInMs } = asked as ApprovalRequirement;
  const expires = typeof expiresInMs === "number" && expiresInMs >= 0 && expiresInMs <= LONGEST_PERIOD_MS;
  return {
    ...(typeof reason === "string" ? { reason: storableLine(reason) } : {}),
    ...(expires ? { expiresInMs: Math.round(expiresInMs) } : {}),
  };
}

/** What an action returned, in the form in which it is kept. Never throws: the action has run. */
async function keepReturned(
  schema: unknown,
  returned: unknown,
  show: ((output: unknown) => unknown) | undefined,
): Promise<ActionOutput> {
  let state: ActionOutput["state"];
  try {
    const change = isStateChange(returned) ? returned : { output: returned, state: undefined };
    state = change.state as ActionOutput["state"];
    const kept = await keepOutput(schema, change.output ?? null);
    const { modelOutput, note } = await makeModelOutput(show && (() => show(change.output)));
    return {
      ...kept,
      ...(note === undefined ? {} : { note: kept.note === undefined ? note : `${kept.note}; ${note}` }),
      ...(modelOutput === undefined || kept.notKept ? {} : { modelOutput }),
      state,
    };
  } catch (error) {
    return { output: null, notKept: true, note: storableText(errorMessage(error)), state };
  }
}

async function keepOutput(schema: unknown, output: unknown): Promise<Omit<ActionOutput, "state">> {
  const checked = schema === undefined ? { ok: true as const, value: output } : await validateAgainst(schema, output);
  const { value, notes } = toStorable(checked.ok ? checked.value : output);
  // A schema of JSON fits the form in which it is kept.
  const fits = checked.ok ? checked : await validateAgainst(schema, value);
  if (!fits.ok) return { output: null, notKept: true, note: `it does not fit its schema: ${fits.issues.join("; ")}` };
  return { output: value, ...(notes.length > 0 ? { note: notes.join("; ") } : {}) };
}

async function parse(name: string, schema: unknown, input: unknown): Promise<unknown> {
  const result = await validateAgainst(schema, input);
  if (result.ok) return result.value;
  const text = typeof input === "string" ? readText(input) : undefined;
  if (text !== undefined) {
    if ("problem" in text) throw malformed(name, input as string, text.problem);
    return parse(name, schema, text.value);
  }
  throw new HebraError(
    "ACTION_INPUT_INVALID",
    `The input of ${name} does not fit its schema: ${result.issues.join("; ")}.`,
    { details: { action: name } },
  );
}

/** What a text holds that a model gave in place of an object. */
function readText(text: string): { value: unknown } | { problem: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? undefined : { value };
  } catch (error) {
    return { problem: errorMessage(error) };
  }
}

const SHOWN_TEXT = 500;

function malformed(name: string, text: string, problem: string): HebraError {
  const shown = text.length <= SHOWN_TEXT ? text : `${text.slice(0, SHOWN_TEXT)}…`;
  return new HebraError(
    "ACTION_INPUT_INVALID",
    `The input of ${name} is not JSON: ${problem}. Give one JSON object. It was: ${shown.toWellFormed()}`,
    { details: { action: name } },
  );
}

async function checkOutput(name: string, schema: unknown, output: unknown): Promise<JsonValue> {
  let value: unknown = output ?? null;
  if (schema !== undefined) {
    const result = await validateAgainst(schema, value);
    if (!result.ok) {
      throw new HebraError(
        "ACTION_OUTPUT_INVALID",
        `The output of ${name} does not fit its schema: ${result.issues.join("; ")}.`,
        { details: { action: name } },
      );
    }
    value = result.value;
  }
  try {
    assertJson(value, `${name}.output`);
  } catch (error) {
    throw new HebraError("ACTION_OUTPUT_INVALID", `The output of ${name} is not plain JSON: ${errorMessage(error)}`, {
      cause: error,
      details: { action: name },
    });
  }
  return value;
}

/** An AI SDK tool may yield progress before its result: the last value is the result. */
async function lastOf(returned: unknown): Promise<unknown> {
  if (typeof returned !== "object" || returned === null || !(Symbol.asyncIterator in returned)) return returned;
  let last: unknown;
  for await (const value of returned as AsyncIterable<unknown>) last = value;
  return last;
}

/** For a reactor that only wants to know what there is. */
export function specsOf(actions: ReadonlyMap<string, NormalAction>): ActionSpec[] {
  return Array.from(actions.values(), ({ spec }) => spec);
}

/** A JSON Schema of anything that the definition may hold a schema in. */
export function outputSchemaOf(schema: unknown): JsonObject | undefined {
  return schema === undefined ? undefined : toJsonSchema(schema);
}
