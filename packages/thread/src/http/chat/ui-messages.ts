import type { JsonObject, JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import { isOutcomeQuestion } from "../../engine/turn/outcome-question.ts";
import type { PartRow } from "../../store/rows.ts";
import type { ExecutionGraph, HistoryEntry } from "../../store/store.ts";
import { defined, wholeUiPart } from "./chunk.ts";
import { shownId } from "./message-ids.ts";

type Content = PartRow["content"] | TranscriptPart;

/** A message as `useChat` holds it. */
export interface UiMessage {
  id: string;
  role: string;
  parts: JsonObject[];
  metadata: JsonObject;
}

/**
 * The messages of a history, for `useChat`. The answer of a turn that runs is left out: the stream brings all of it.
 * One that waits is there with what it asks.
 *
 * @param active - the turn that runs or waits
 */
export function uiMessages(entries: readonly HistoryEntry[], active: ExecutionGraph | undefined): UiMessage[] {
  return entries.flatMap(({ item, parts }) => {
    const isActive = item.kind === "reaction" && item.id === active?.execution.reactionItemId;
    if (isActive && active.execution.status !== "waiting") return [];
    const contents: readonly Content[] = parts.length > 0 ? parts.map(({ content }) => content) : item.content;
    if (contents.length === 0) return [];
    const graph = isActive ? active : undefined;
    return [
      {
        id: shownId(item),
        role: item.role,
        parts: uiParts(contents, graph, item.id),
        metadata: {
          ...(item.executionId === null ? {} : { executionId: item.executionId }),
          createdAt: item.createdAt,
        },
      },
    ];
  });
}

function uiParts(contents: readonly Content[], graph: ExecutionGraph | undefined, id: string): JsonObject[] {
  let step: number | undefined;
  return contents.flatMap((content, at) => {
    const begins = content.step !== undefined && content.step !== step;
    step = content.step;
    return [...(begins ? [{ type: "step-start" }] : []), uiPart(content, graph, `${id}:${at}`)];
  });
}

function uiPart(content: Content, graph: ExecutionGraph | undefined, id: string): JsonObject {
  if (content.kind === "text" || content.kind === "reasoning")
    return { type: content.kind, text: content.text, state: "done" };
  if (content.kind === "file")
    return {
      type: "file",
      ...defined({ mediaType: content.mediaType, url: content.url, filename: content.filename }),
    };
  if (content.kind !== "action") return wholeUiPart(content, id);
  const owned = content.ownedByReactor === true ? { providerExecuted: true } : {};
  return {
    type: `tool-${content.name}`,
    toolCallId: content.callId,
    input: content.input,
    ...owned,
    ...outcome(content, graph),
  };
}

function outcome(
  { callId, status, output, error }: Extract<Content, { kind: "action" }>,
  graph: ExecutionGraph | undefined,
): { state: string } & Record<string, JsonValue> {
  if (status === "succeeded") return { state: "output-available", output: output ?? null };
  const call = graph?.calls.find((row) => row.callId === callId);
  const asked = call && graph?.approvals.find((row) => row.callRowId === call.id && row.status === "pending");
  if (asked !== undefined)
    return isOutcomeQuestion(asked)
      ? { state: "input-available" }
      : { state: "approval-requested", approval: { id: asked.id } };
  if (status === undefined && graph !== undefined) return { state: "input-available" };
  return { state: "output-error", errorText: error ?? "not settled" };
}
