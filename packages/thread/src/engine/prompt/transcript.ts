import type { TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import type { ItemRow, PartRow } from "../../store/rows.ts";
import type { HistoryEntry } from "../../store/store.ts";
import { referenceOf } from "./references.ts";
import { withoutReplaced } from "./replaced.ts";

const UNSETTLED = "The call was cut off; whether it took effect is unknown.";

/** A message of a prompt, with what shortening it needs to know. */
export interface Shown {
  message: TranscriptMessage;
  /** What names each of its parts for `read_more`. */
  references: readonly (string | undefined)[];
  /** The item's place in the order. */
  seq: number;
  kind: ItemRow["kind"];
  /** The turn that it belongs to; none for a summary or a note. */
  executionId: string | null;
  /** Of a summary: up to which item it stands for the history. */
  coversSeq?: number;
}

/**
 * What the model is shown of a history. Every call in it is settled: one that never was is shown as failed, because
 * model
 * providers refuse a call without a result, and would refuse every later turn of the thread with it.
 */
export function toShown(history: readonly HistoryEntry[]): Shown[] {
  const entries = withoutReplaced(history);
  // A summary stands for what came before everything else, wherever it was written.
  const summaries = entries.filter(({ item }) => item.kind === "summary");
  return [...summaries, ...entries.filter(({ item: { kind } }) => kind !== "summary")]
    .map(({ item, parts }) => (parts.length > 0 ? ofParts(item, parts) : ofContent(item)))
    .filter(({ message }) => message.parts.length > 0);
}

/**
 * The running turn: its trigger, what it has answered so far, and input that came while it ran, at the step that heard
 * it.
 *
 * @param steered - each item with the iteration before which it was heard.
 */
export function turnShown(
  trigger: ItemRow,
  reaction: ItemRow,
  parts: readonly PartRow[],
  steered: readonly { item: ItemRow; iteration: number }[],
): Shown[] {
  const messages: Shown[] = [ofContent(trigger)];
  let from = 0;
  const upTo = (end: number) => {
    const shown = parts.slice(from, end).filter((part) => !isUnderWay(part));
    if (shown.length > 0) messages.push(ofParts(reaction, shown, "assistant"));
    from = end;
  };
  for (const { item, iteration } of steered) {
    const end = parts.findIndex((part) => (part.content.step ?? 0) >= iteration);
    upTo(end === -1 ? parts.length : end);
    messages.push(ofContent(item));
  }
  upTo(parts.length);
  return messages;
}

function ofParts(item: ItemRow, parts: readonly PartRow[], role = item.role): Shown {
  return show(
    item,
    { id: item.id, role, parts: parts.map(toPart) },
    parts.map(({ index }) => index),
  );
}

function ofContent(item: ItemRow): Shown {
  return show(
    item,
    { id: item.id, role: item.role, parts: item.content },
    item.content.map((_, index) => index),
  );
}

function show(item: ItemRow, message: TranscriptMessage, places: readonly number[]): Shown {
  const { seq, kind, executionId, metadata } = item;
  return {
    message,
    references: places.map((index) => (seq === null || kind === "summary" ? undefined : referenceOf(seq, index))),
    seq: seq ?? Infinity,
    kind,
    executionId,
    ...(kind === "summary" ? { coversSeq: Number(metadata["coversSeq"] ?? 0) } : {}),
  };
}

/**
 * What a reactor was allowed to run itself and is about to: it is told so by a decision, and has nothing to read of it
 * yet.
 */
function isUnderWay({ content }: PartRow): boolean {
  return content.kind === "action" && content.ownedByReactor === true && content.status === undefined;
}

function toPart(row: PartRow): TranscriptPart {
  const { content } = row;
  if (content.kind !== "action") return content;
  if (content.status !== undefined) return content as TranscriptPart;
  return { ...content, status: "failed", error: UNSETTLED };
}
