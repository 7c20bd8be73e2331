import type { WholePart } from "../../engine/turn/answer.ts";
import type { PartRow } from "../../store/rows.ts";
import type { LiveEventType, ThreadEvent } from "../../stream/envelope.ts";
import { wholeChunks, type UiChunk } from "./chunk.ts";

/** A part that was sent while it came. */
interface Sent {
  id: string;
  kind: string;
  text: string;
  open: boolean;
}

/** The chunks of one answer of the model. */
export interface StepChunks {
  readonly id: string;
  live(event: Extract<ThreadEvent, { type: LiveEventType }>): UiChunk[];
  /** A part of the answer as it is kept: sent now, unless it was sent while it came. */
  recorded(index: number, content: PartRow["content"]): UiChunk[];
  /** The model is asked again: open parts end here, and what comes is new. */
  reset(): UiChunk[];
  /** The answer is whole. Later events of its calls stand outside of the step. */
  close(): UiChunk[];
}

/** @param id - of the step */
export function createStepChunks(id: string): StepChunks {
  let opened = false;
  let closed = false;
  /** Live events were missed: the rest is sent from the record. */
  let missed = false;
  let lastIndex: number | undefined;
  let resets = 0;
  const sent = new Map<number, Sent>();

  const partId = (index: number) => `${id}:${resets === 0 ? "" : `${resets}:`}${index}`;
  const open = (): UiChunk[] => {
    if (opened) return [];
    opened = true;
    return [{ type: "start-step" }];
  };
  const end = (part: Sent): UiChunk[] => {
    if (!part.open) return [];
    part.open = false;
    return [{ type: `${part.kind}-end`, id: part.id }];
  };
  const endAll = () => [...sent.values()].flatMap(end);

  function started(index: number, { kind, part }: { kind: string; part?: unknown }): UiChunk[] {
    const known: Sent = { id: partId(index), kind, text: "", open: true };
    if (kind === "text" || kind === "reasoning") {
      sent.set(index, known);
      return [...open(), { type: `${kind}-start`, id: known.id }];
    }
    // One of an older process says nothing of what is in it.
    if (part === undefined) {
      missed = true;
      return [];
    }
    sent.set(index, { ...known, open: false });
    return [...open(), ...wholeChunks(part as WholePart, known.id)];
  }

  return {
    id,
    live(event) {
      if (closed || event.partIndex < 0) return [];
      if (lastIndex !== undefined && event.index !== lastIndex + 1) missed = true;
      lastIndex = event.index;
      if (event.type !== "part-started" && !sent.has(event.partIndex)) missed = true;
      if (missed) return [];
      if (event.type === "part-started") return started(event.partIndex, event.data);
      const known = sent.get(event.partIndex)!;
      if (event.type === "part-ended") return end(known);
      if (event.type !== "part-delta" || !known.open) return [];
      known.text += event.data.delta;
      return [{ type: `${known.kind}-delta`, id: known.id, delta: event.data.delta }];
    },
    recorded(index, content) {
      const known = sent.get(index);
      if (known === undefined) {
        sent.set(index, { id: partId(index), kind: content.kind, text: "", open: false });
        return [...open(), ...wholeChunks(content, partId(index))];
      }
      const rest =
        known.open && "text" in content && content.text.startsWith(known.text)
          ? content.text.slice(known.text.length)
          : "";
      return [...(rest === "" ? [] : [{ type: `${known.kind}-delta`, id: known.id, delta: rest }]), ...end(known)];
    },
    reset() {
      const chunks = endAll();
      sent.clear();
      missed = false;
      lastIndex = undefined;
      resets++;
      return chunks;
    },
    close() {
      if (closed) return [];
      closed = true;
      return [...endAll(), ...(opened ? [{ type: "finish-step" }] : [])];
    },
  };
}
