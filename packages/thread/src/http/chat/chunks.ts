import type { JsonObject } from "@hebra/core";
import type { WholePart } from "../../engine/turn/answer.ts";
import type { PartRow } from "../../store/rows.ts";
import { isDurable, type DurableEventType, type LiveEventType, type ThreadEvent } from "../../stream/envelope.ts";
import { messageOf, outcomeChunk, type UiChunk } from "./chunk.ts";
import { createStepChunks, type StepChunks } from "./step-chunks.ts";

/** Turns the events of one turn into chunks of the AI SDK's UI message stream, one after the other. */
export interface ChunkMapper {
  accept(event: ThreadEvent): UiChunk[];
  /** The chunks with which the stream ends. */
  end(): UiChunk[];
}

type Durable = Extract<ThreadEvent, { type: DurableEventType }>;
type Live = Extract<ThreadEvent, { type: LiveEventType }>;

/**
 * A reader that gets no live events is sent whole parts for deltas. Parts come in the order in which the model made
 * them.
 *
 * @param options - `known`: calls that the client knows: it has everything up to where the turn waited for them
 */
export function createChunkMapper({
  known = new Set(),
}: { known?: ReadonlySet<string> | undefined } = {}): ChunkMapper {
  const unseen = new Set(known);
  let isKnown = known.size > 0;
  let step: StepChunks | undefined;
  let last: ThreadEvent | undefined;
  /** Calls that the reactor runs itself, and those without an outcome. */
  const owned = new Set<string>();
  const open = new Set<string>();
  /** Whether the last step that was opened has calls. */
  let endsWithCalls = false;

  function accept(event: ThreadEvent): UiChunk[] {
    last = event;
    const chunks = isDurable(event) ? durable(event as Durable) : live(event as Live);
    if (!isKnown) return chunks;
    if (event.type === "call-requested") unseen.delete(event.data.callId);
    if (event.type === "execution-waiting" && unseen.size === 0) isKnown = false;
    return [];
  }

  function durable(event: Durable): UiChunk[] {
    switch (event.type) {
      case "step-started": {
        endsWithCalls = false;
        step = createStepChunks(event.stepId!);
        return [];
      }
      case "part-created": {
        const part = event.data.part as unknown as PartRow["content"];
        return [...noteCall(part), ...(step?.recorded(event.data.index, part) ?? [])];
      }
      case "approval-requested":
        return event.data["about"] === "consent" ? [approval(event.data)] : [];
      case "call-changed":
        return settled(event.data);
      case "execution-waiting":
        return step?.close() ?? [];
      case "step-ended":
        return [...unsettled(), ...(step?.close() ?? [])];
      default:
        return [];
    }
  }

  function live(event: Live): UiChunk[] {
    if (step === undefined || event.stepId !== step.id) return [];
    if (event.type === "step-reset") return [...unsettled(), ...step.reset()];
    const chunks = step.live(event);
    if (event.type === "part-started" && chunks.length > 0 && event.data.part !== undefined)
      noteCall(event.data.part as unknown as WholePart);
    return chunks;
  }

  function noteCall(part: PartRow["content"] | WholePart): [] {
    if (part.kind !== "action") return [];
    open.add(part.callId);
    if (part.ownedByReactor === true) owned.add(part.callId);
    else endsWithCalls = true;
    return [];
  }

  function settled(data: { callId: string } & Parameters<typeof outcomeChunk>[1]): UiChunk[] {
    const chunk = outcomeChunk(data.callId, data, owned.has(data.callId));
    if (chunk === undefined) return [];
    open.delete(data.callId);
    return [chunk];
  }

  /** A client waits for the outcome of every call that it knows. */
  function unsettled(): UiChunk[] {
    const chunks = [...open].map((toolCallId) => ({
      type: "tool-output-error",
      toolCallId,
      errorText: "The call was cut off.",
    }));
    open.clear();
    return chunks;
  }

  function end(): UiChunk[] {
    if (last?.type === "execution-ended") return ended(last.data);
    if (last?.type === "execution-waiting") return [{ type: "finish", finishReason: "tool-calls" }];
    return [{ type: "error", errorText: "The stream was closed before the turn ended. Resume it." }];
  }

  function ended({ status, reason, ...data }: { status: string; reason: string } & JsonObject): UiChunk[] {
    if (status === "failed")
      return [{ type: "error", errorText: messageOf(data["error"]) ?? "The turn failed." }, finish("error", data)];
    if (status === "cancelled") return [{ type: "abort", reason }];
    return [
      // `sendAutomaticallyWhen` looks at the last step: settled calls in it would be sent for ever.
      ...(endsWithCalls ? [{ type: "start-step" }, { type: "finish-step" }] : []),
      finish(status === "completed" ? "stop" : "other", data),
    ];
  }

  return { accept, end };
}

const finish = (finishReason: string, { usage }: JsonObject): UiChunk => ({
  type: "finish",
  finishReason,
  ...(usage === undefined ? {} : { messageMetadata: { usage } }),
});

const approval = ({ approvalId, callId }: { approvalId: string; callId: string }): UiChunk => ({
  type: "tool-approval-request",
  approvalId,
  toolCallId: callId,
});
