import type { JsonObject, JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import { isDurable, type DurableEvent, type LiveEvent, type ThreadEvent } from "@hebra/thread";
import { isObject } from "../ui-parts.ts";
import type { LegacyChunk } from "../call/types.ts";

/** How a turn's events become the old engine's chunks. */
export interface LegacyChunkOptions {
  /** When `data-context-id` is sent: always, or only for a context that the turn makes. @defaultValue "always" */
  announce?: "always" | "new";
  /** Sends `finish` at the end. @defaultValue true */
  sendFinish?: boolean;
}

/** Turns events of one execution into chunks, one after the other. */
export interface ChunkMapper {
  accept(event: ThreadEvent): LegacyChunk[];
}

interface Told {
  /** Its id on the wire. */
  id: string;
  kind: "text" | "reasoning";
  text: string;
  open: boolean;
}

/** A step of the model as far as it was told. */
interface Step {
  id: string;
  opened: boolean;
  /** The answer is told whole, and what follows are its calls. */
  closed: boolean;
  /** Parts that were told as they came, by their place in the item. */
  told: Map<number, Told>;
  /**
   * A call came by, whose input only the answer's record has, or events were missed: the rest is told from the record.
   */
  held: boolean;
  /** The last live event's index. */
  last: number | undefined;
  calls: string[];
  results: Map<string, LegacyChunk>;
}

/**
 * The chunks of the old engine for the events of one turn: the AI SDK's UI message stream, with its own data chunks, in
 * the
 * order in which old clients saw them. `data-context-id`, `data-thread-ping`, `start`; for each answer `start-step`,
 * its parts,
 * `finish-step`; for its calls the substate `actions`, then all outputs once all have settled, and the substate's end;
 * at last
 * `finish`, however the turn ended.
 *
 * Whoever reads from the journal alone gets the same chunks with whole parts for deltas.
 */
export function createChunkMapper(options: LegacyChunkOptions = {}): ChunkMapper {
  const { announce = "always", sendFinish = true } = options;
  let begun = false;
  let reactionItemId = "";
  let step: Step | undefined;
  let resets = 0;

  function accept(event: ThreadEvent): LegacyChunk[] {
    const out: LegacyChunk[] = [];
    if (!begun) {
      begun = true;
      if (announce === "always" || event.type === "context-created")
        out.push({ type: "data-context-id", id: event.contextId, data: { contextId: event.contextId } });
    }
    if (isDurable(event)) durable(event, out);
    else live(event, out);
    return out;
  }

  function durable(event: DurableEvent, out: LegacyChunk[]): void {
    const { data } = event;
    switch (event.type) {
      case "execution-started":
        reactionItemId = String(data["reactionItemId"]);
        out.push({ type: "data-thread-ping", data: { label: "thread-start" }, transient: true });
        out.push({ type: "start", messageId: reactionItemId, messageMetadata: { eventId: reactionItemId } });
        return;
      case "step-started":
        step = newStep(event.stepId!);
        return;
      case "part-created":
        return part(event, out);
      case "call-changed":
        return settled(data);
      case "execution-waiting":
        return closeAnswer(out);
      case "step-ended":
        closeAnswer(out);
        return results(out);
      case "execution-ended":
        if (sendFinish) out.push({ type: "finish" });
    }
  }

  function live(event: LiveEvent, out: LegacyChunk[]): void {
    if (step === undefined || step.id !== event.stepId || step.closed) return;
    if (event.type === "step-reset") return reset(out);
    if (event.type === "call-started") return closeAnswer(out);
    const missed = step.last !== undefined && event.index !== step.last + 1;
    step.last = event.index;
    if (missed) step.held = true;
    if (step.held) return;
    const known = step.told.get(event.partIndex);
    switch (event.type) {
      case "part-started": {
        const kind = event.data["kind"];
        if (kind === "text" || kind === "reasoning") {
          openStep(out);
          const id = `${step.id}:${resets === 0 ? "" : `${resets}:`}${event.partIndex}`;
          step.told.set(event.partIndex, { id, kind, text: "", open: true });
          out.push({ type: `${kind}-start`, id });
        } else step.held = true;
        return;
      }
      case "part-delta":
        if (known?.open !== true) return;
        known.text += String(event.data["delta"]);
        out.push({ type: `${known.kind}-delta`, id: known.id, delta: event.data["delta"] });
        return;
      case "part-ended":
        if (known !== undefined) end(known, out);
    }
  }

  /** A part of an answer that is on record: told here unless it was told while it came. */
  function part(event: DurableEvent, out: LegacyChunk[]): void {
    const { index, part: content } = event.data as unknown as { index: number; part: TranscriptPart };
    const current = (step ??= newStep(event.stepId!));
    const known = current.told.get(index);
    if (known !== undefined && "text" in content && content.text.startsWith(known.text)) {
      const missed = content.text.slice(known.text.length);
      if (missed !== "") out.push({ type: `${known.kind}-delta`, id: known.id, delta: missed });
      return end(known, out);
    }
    if (known !== undefined) end(known, out);
    openStep(out);
    // Text that was held back behind a call is told whole, now that its turn has come.
    if (content.kind === "action") current.calls.push(content.callId);
    out.push(...wholePart(content, `${current.id}:${index}`));
  }

  function settled(data: JsonObject): void {
    const { callId, status, output, error } = data as {
      callId: string;
      status: string;
      output: JsonValue;
      error: JsonValue;
    };
    if (status === "succeeded")
      step?.results.set(callId, { type: "tool-output-available", toolCallId: callId, output });
    else if (
      status !== "running" &&
      status !== "awaiting_approval" &&
      status !== "requested" &&
      status !== "approved"
    ) {
      step?.results.set(callId, {
        type: "tool-output-error",
        toolCallId: callId,
        errorText: isObject(error) && typeof error["message"] === "string" ? error["message"] : status,
      });
    }
  }

  /** The answer is whole; its calls, if any, are about to run. */
  function closeAnswer(out: LegacyChunk[]): void {
    if (step === undefined || step.closed) return;
    step.closed = true;
    for (const known of step.told.values()) end(known, out);
    if (!step.opened) return;
    out.push({ type: "finish-step" });
    if (step.calls.length > 0) out.push({ type: "data-context-substate", data: { key: "actions" }, transient: true });
  }

  function results(out: LegacyChunk[]): void {
    if (step === undefined || step.calls.length === 0) return;
    for (const callId of step.calls)
      out.push(step.results.get(callId) ?? { type: "tool-output-error", toolCallId: callId, errorText: "not settled" });
    out.push({ type: "data-context-substate", data: { key: null }, transient: true });
    step.calls = [];
  }

  /** The model is asked again: what was told of this answer ends here, and what comes is another part. */
  function reset(out: LegacyChunk[]): void {
    for (const known of step!.told.values()) end(known, out);
    step!.told.clear();
    step!.held = false;
    step!.last = undefined;
    resets++;
  }

  function end(known: Told, out: LegacyChunk[]): void {
    if (!known.open) return;
    known.open = false;
    out.push({ type: `${known.kind}-end`, id: known.id });
  }

  function openStep(out: LegacyChunk[]): void {
    if (step!.opened) return;
    step!.opened = true;
    out.push({ type: "start-step" });
  }

  return { accept };
}

function newStep(id: string): Step {
  return {
    id,
    opened: false,
    closed: false,
    told: new Map(),
    held: false,
    last: undefined,
    calls: [],
    results: new Map(),
  };
}

function wholePart(content: TranscriptPart, id: string): LegacyChunk[] {
  switch (content.kind) {
    case "text":
    case "reasoning":
      return [
        { type: `${content.kind}-start`, id },
        ...(content.text === "" ? [] : [{ type: `${content.kind}-delta`, id, delta: content.text }]),
        { type: `${content.kind}-end`, id },
      ];
    case "action":
      return [
        { type: "tool-input-available", toolCallId: content.callId, toolName: content.name, input: content.input },
      ];
    case "source":
      return content.url === undefined
        ? []
        : [
            {
              type: "source-url",
              sourceId: content.id,
              url: content.url,
              ...(content.title === undefined ? {} : { title: content.title }),
            },
          ];
    case "file":
      return [{ type: "file", url: content.url, mediaType: content.mediaType }];
    case "data": {
      const own =
        isObject(content.data) && content.data["type"] === content.name ? content.data : { data: content.data };
      return [{ ...own, type: content.name.startsWith("data-") ? content.name : `data-${content.name}` }];
    }
  }
}

/**
 * The chunks of a turn, from the stream of its handle: what an old client, or `useChat`, reads.
 *
 * @example
 * ```ts
 * import type { TurnHandle } from "@hebra/thread";
 * import { legacyChunks } from "@hebra/compat";
 *
 * export async function print(turn: TurnHandle): Promise<void> {
 *   for await (const chunk of legacyChunks(turn.stream)) console.log(chunk.type);
 * }
 * ```
 */
export async function* legacyChunks(
  events: AsyncIterable<ThreadEvent>,
  options: LegacyChunkOptions = {},
): AsyncGenerator<LegacyChunk, void, undefined> {
  const mapper = createChunkMapper(options);
  for await (const event of events) yield* mapper.accept(event);
}
