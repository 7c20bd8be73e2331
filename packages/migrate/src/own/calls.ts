import type { JsonObject, JsonValue } from "@hebra/core";
import { first } from "../mapping/transform.ts";
import { idText } from "../source/index-tables.ts";
import type { ThreadMapping } from "./mapping.ts";
import { parsed } from "./values.ts";

/** What a model is told of a call whose result the source does not hold. */
export const UNSETTLED = "The call was never settled by the system that made it; whether it took effect is unknown.";

/** Calls with their results stand before the words of a message, and those that are settled later behind them. */
export interface CallParts {
  before: JsonObject[];
  after: JsonObject[];
}

/** The calls of a message. @returns the column that holds something else than calls, as text */
export function callParts(mapping: ThreadMapping, row: JsonObject, rows: readonly JsonObject[]): CallParts | string {
  const { messages, toolCalls } = mapping;
  const made: CallParts = { before: [], after: [] };
  if (messages.calls !== undefined) {
    const list = listAt(row, messages.calls);
    if (list === undefined) return messages.calls;
    for (const call of list) {
      const part = openAiCall(call);
      if (part === undefined) return messages.calls;
      made.after.push(part);
    }
  }
  if (toolCalls === undefined) return made;
  const list = toolCalls.in === undefined ? rows : listAt(row, toolCalls.in);
  if (list === undefined) return toolCalls.in!;
  for (const [i, call] of list.entries()) {
    const value = (column: string | undefined) => (column === undefined ? undefined : first(call, [column])?.value);
    const name = value(toolCalls.name);
    if (typeof name !== "string" || name === "") return toolCalls.in ?? toolCalls.name;
    const callId = idText(value(toolCalls.id)) ?? `call-${i}`;
    const [output, error] = [value(toolCalls.output), value(toolCalls.error)];
    made.before.push({
      kind: "action",
      callId,
      name,
      input: parsed(value(toolCalls.input)) ?? {},
      ...outcome(output, error),
      step: 0,
    });
  }
  return made;
}

function outcome(output: JsonValue | undefined, error: JsonValue | undefined): JsonObject {
  if (error !== undefined)
    return { status: "failed", error: typeof error === "string" ? error : JSON.stringify(error) };
  return output === undefined ? { status: "failed", error: UNSETTLED } : { status: "succeeded", output };
}

/** A result whose call the source does not name. */
export const resultPart = (id: string, output: JsonValue): JsonObject => ({
  kind: "action",
  callId: id,
  name: "tool",
  input: {},
  status: "succeeded",
  output,
  step: 0,
});

function openAiCall(call: JsonObject): JsonObject | undefined {
  const name = first(call, ["function.name", "name"])?.value;
  const callId = idText(call["id"]);
  if (typeof name !== "string" || callId === undefined) return undefined;
  const input = parsed(first(call, ["function.arguments", "arguments"])?.value) ?? {};
  return { kind: "action", callId, name, input, status: "failed", error: UNSETTLED, step: 0 };
}

function listAt(row: JsonObject, column: string): JsonObject[] | undefined {
  const value = parsed(first(row, [column])?.value) ?? [];
  const objects = Array.isArray(value)
    ? value.filter((entry): entry is JsonObject => typeof entry === "object" && entry !== null && !Array.isArray(entry))
    : undefined;
  return objects?.length === (value as unknown[]).length ? objects : undefined;
}
