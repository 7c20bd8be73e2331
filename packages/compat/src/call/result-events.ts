import type { JsonValue } from "@hebra/core";
import type { ReactorEvent, Usage } from "@hebra/reactor";
import { callOf, fromUiPart } from "../ui-parts.ts";
import { uiPartsOf } from "./items.ts";
import { plainJson } from "./plain-json.ts";
import type { ThreadReactionLLM, ThreadReactionResult } from "./types.ts";

/**
 * The whole answer of an old reactor as events. The calls that it lists are run by the engine; a settled call that it
 * does not
 * list was run by the reactor, and is not run again.
 */
export function* eventsOfResult(result: ThreadReactionResult): Generator<ReactorEvent, void, undefined> {
  const listed = new Map<string, { name: string; input: JsonValue }>();
  for (const { toolCallId, toolName, args } of result.toolCalls ?? [])
    listed.set(toolCallId, { name: toolName, input: plainJson(args) });
  for (const { actionRef, actionName, input } of result.actionRequests ?? [])
    listed.set(actionRef, { name: actionName, input: plainJson(input) });
  let runnable = listed.size > 0;
  let place = 0;
  for (const part of uiPartsOf({ content: plainJson(result.assistantEvent.content) })) {
    const partId = `p${place++}`;
    const call = callOf(part);
    if (call !== undefined) {
      const { callId } = call;
      const wanted = listed.get(callId);
      listed.delete(callId);
      const isSettled = part["state"] === "output-available" || part["state"] === "output-error";
      if (wanted !== undefined || !isSettled) {
        runnable = true;
        yield { type: "action-request", callId, name: wanted?.name ?? call.name, input: wanted?.input ?? call.input };
        continue;
      }
      yield { type: "action-request", callId, name: call.name, input: call.input, ownedByReactor: true };
      if (part["state"] === "output-available")
        yield { type: "action-result", callId, status: "succeeded", output: part["output"] ?? null };
      else yield { type: "action-result", callId, status: "failed", error: String(part["errorText"] ?? "failed") };
      continue;
    }
    const made = fromUiPart(part);
    if (made === undefined || made.kind === "action") continue;
    if (made.kind === "text" || made.kind === "reasoning") {
      yield { type: "part-start", partId, kind: made.kind };
      if (made.text !== "") yield { type: "part-delta", partId, delta: made.text };
      yield { type: "part-end", partId };
    } else yield { type: "part", partId, part: made };
  }
  for (const [callId, { name, input }] of listed) yield { type: "action-request", callId, name, input };
  yield { type: "usage", usage: usageOf(result.llm) };
  yield { type: "finish", reason: runnable ? "actions" : "stop" };
}

function usageOf(llm: ThreadReactionLLM | undefined): Usage {
  const known: [keyof Usage, unknown][] = [
    ["provider", llm?.provider],
    ["model", llm?.model],
    ["inputTokens", llm?.promptTokens],
    ["cachedInputTokens", llm?.promptTokensCached],
    ["outputTokens", llm?.completionTokens],
  ];
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
}
