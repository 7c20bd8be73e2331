import { deriveId, type JsonObject } from "@hebra/core";
import type { PartRow } from "../../store/rows.ts";
import type { Answer } from "../turn/answer.ts";
import { ownedResult } from "../turn/call-result.ts";
import type { PreparedCall } from "../turn/prepare-calls.ts";
import { baseRow, putPart, type Draft } from "./draft.ts";
import { addCall, settleCall } from "./record-calls.ts";

/**
 * Adds an answer. Of one that was cut off there are no prepared calls, and its calls are left out.
 *
 * @param reactor - whose session it is
 */
export function recordAnswer(draft: Draft, answer: Answer, prepared: readonly PreparedCall[], reactor: string): void {
  const at = draft.now();
  const { rows } = draft;
  settleOwned(draft, answer);
  let callIndex = 0;
  for (const entry of answer.parts) {
    const id = deriveId("part", rows.step.id, entry.slot);
    if ("part" in entry) {
      const content: PartRow["content"] = { ...entry.part, step: rows.step.iteration };
      if (content.kind === "text" || content.kind === "reasoning") content.text = content.text.toWellFormed();
      addPart(draft, id, content, at);
      continue;
    }
    const call = prepared[callIndex];
    if (call === undefined) continue;
    addPart(draft, id, actionContent(call, rows.step.iteration), at);
    addCall(draft, call, id, callIndex++, at);
  }
  rows.step = { ...rows.step, usage: answer.usage, finishReason: answer.finishReason ?? null, updatedAt: at };
  draft.stepDirty = true;
  if (answer.session !== undefined)
    draft.patch.sessions = { ...(draft.patch.sessions ?? rows.context.sessions), [reactor]: answer.session };
}

/** Settles calls of earlier steps that the reactor was allowed to run. */
function settleOwned(draft: Draft, answer: Answer): void {
  for (const [callId, result] of answer.results) {
    const call = draft.rows.calls.find((row) => row.callId === callId && row.status === "running");
    if (call !== undefined) settleCall(draft, call, ownedResult(result));
  }
}

function actionContent({ request }: PreparedCall, step: number): PartRow["content"] {
  const content: PartRow["content"] = {
    kind: "action",
    callId: request.callId,
    name: request.name,
    input: request.input,
    step,
  };
  if (request.owned) content.ownedByReactor = true;
  if (request.providerMetadata !== undefined) content.providerMetadata = request.providerMetadata;
  return content;
}

function addPart(draft: Draft, id: string, content: PartRow["content"], at: number): void {
  const { step, reaction, parts } = draft.rows;
  const index = parts.length;
  putPart(draft, {
    ...baseRow(draft, at),
    id,
    stepId: step.id,
    itemId: reaction.id,
    index,
    kind: content.kind,
    content,
  });
  draft.writer.add(
    "part-created",
    { partId: id, itemId: reaction.id, index, part: content as unknown as JsonObject },
    step.id,
  );
}
