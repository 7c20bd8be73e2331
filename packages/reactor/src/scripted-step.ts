import { deriveId, HebraError, type JsonValue } from "@hebra/core";
import type { FinishReason, PartEvent, ReactorEvent, Usage } from "./events.ts";
import type { ReactorIds } from "./reactor.ts";
import { createTextMender } from "./well-formed.ts";

type WholePart<K extends PartEvent["part"]["kind"]> = Omit<Extract<PartEvent["part"], { kind: K }>, "kind">;

/** One action call of a script. */
export interface ScriptedAction {
  name: string;
  /** What the model gives as input. A string stands for malformed JSON. */
  input: JsonValue;
  /** @defaultValue derived from the execution, the iteration and the place in the list */
  callId?: string;
  /** The reactor runs the action itself, with this result. */
  result?: { output: JsonValue } | { error: string };
  /** The reactor would run the action itself, but asks first. */
  approval?: { reason?: string };
}

/** One answer of a script. Its events come in the order of these members. */
export interface ScriptedStep {
  /** One string is one delta, a list one delta each. */
  reasoning?: string | readonly string[];
  /** One string is one delta, a list one delta each; empty ones are left out. */
  text?: string | readonly string[];
  sources?: readonly WholePart<"source">[];
  files?: readonly WholePart<"file">[];
  data?: readonly WholePart<"data">[];
  actions?: readonly ScriptedAction[];
  /** Results of calls with `approval` of the step before that were approved, by `callId`. They come first. */
  results?: Readonly<Record<string, { output: JsonValue } | { error: string }>>;
  session?: JsonValue;
  /**
   * Thrown after all of the above and instead of what follows. A string becomes a `REACTOR_FAILED`; an error is thrown
   * as it is.
   */
  error?: string | Error;
  /** @defaultValue zero input and output tokens: a script costs nothing */
  usage?: Usage;
  /** @defaultValue `actions` when something is left to be run or approved, else `stop` */
  finish?: FinishReason;
}

/** The events of one answer, and the error that ends it. Ids depend on nothing but the step's own ids. */
export function eventsOfStep(step: ScriptedStep, ids: ReactorIds): { events: ReactorEvent[]; error?: Error } {
  const events: ReactorEvent[] = Object.entries(step.results ?? {}).map(([callId, result]) =>
    resultEvent(callId, result),
  );
  if (step.reasoning !== undefined) pushGrowing(events, "reasoning", step.reasoning);
  if (step.text !== undefined) pushGrowing(events, "text", step.text);
  step.sources?.forEach((source, i) =>
    events.push({ type: "part", partId: `source-${i}`, part: { kind: "source", ...source } }),
  );
  step.files?.forEach((file, i) => events.push({ type: "part", partId: `file-${i}`, part: { kind: "file", ...file } }));
  step.data?.forEach((data, i) =>
    events.push({ type: "part", partId: `data-${i}`, part: { kind: "data", ...data, data: copyOf(data.data) } }),
  );
  let left = 0;
  step.actions?.forEach((action, i) => {
    const callId = action.callId ?? deriveId("scripted-call", ids.executionId, ids.iteration, i);
    if (!pushAction(events, action, callId)) left++;
  });
  if (step.session !== undefined) events.push({ type: "session", state: copyOf(step.session) });
  if (step.error !== undefined) {
    return {
      events,
      error: typeof step.error === "string" ? new HebraError("REACTOR_FAILED", step.error) : step.error,
    };
  }
  events.push({ type: "usage", usage: step.usage ?? { inputTokens: 0, outputTokens: 0 } });
  events.push({ type: "finish", reason: step.finish ?? (left > 0 ? "actions" : "stop") });
  return { events };
}

function pushGrowing(events: ReactorEvent[], kind: "text" | "reasoning", text: string | readonly string[]): void {
  const partId = `${kind}-0`;
  events.push({ type: "part-start", partId, kind });
  const mender = createTextMender();
  const push = (delta: string) => delta !== "" && events.push({ type: "part-delta", partId, delta });
  if (typeof text === "string") push(mender.push(text));
  else for (const piece of text) push(mender.push(piece));
  push(mender.end());
  events.push({ type: "part-end", partId });
}

/** @returns whether the call is settled when the answer ends */
function pushAction(events: ReactorEvent[], action: ScriptedAction, callId: string): boolean {
  const { name, input, result, approval } = action;
  const owned = result !== undefined || approval !== undefined;
  events.push({
    type: "action-request",
    callId,
    name,
    input: copyOf(input),
    ...(owned ? { ownedByReactor: true } : {}),
  });
  if (approval !== undefined) {
    events.push({ type: "approval-request", callId, ...approval });
    return false;
  }
  if (result === undefined) return false;
  events.push(resultEvent(callId, result));
  return true;
}

function resultEvent(callId: string, result: { output: JsonValue } | { error: string }): ReactorEvent {
  return {
    type: "action-result",
    callId,
    ...("output" in result ? { status: "succeeded", output: copyOf(result.output) } : { status: "failed", ...result }),
  };
}

/** A copy, so that nothing that is done with an answer changes the script. */
function copyOf(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyOf(member)]));
}
