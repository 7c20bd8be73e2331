import type { TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import type { ItemRow, PartRow } from "../../store/rows.ts";
import type { HistoryEntry } from "../../store/store.ts";

const UNSETTLED = "The call was cut off; whether it took effect is unknown.";

/**
 * What the model is shown of a history. Every call in it is settled: one that never was is shown as failed, because
 * model
 * providers refuse a call without a result, and would refuse every later turn of the thread with it.
 */
export function toTranscript(entries: readonly HistoryEntry[]): TranscriptMessage[] {
  const messages: TranscriptMessage[] = [];
  // A summary stands for what came before everything else, wherever it was written.
  const summaries = entries.filter(({ item }) => item.kind === "summary");
  for (const { item, parts } of [...summaries, ...entries.filter(({ item: { kind } }) => kind !== "summary")]) {
    const content = parts.length > 0 ? parts.map(toPart) : item.content;
    if (content.length > 0) messages.push({ id: item.id, role: item.role, parts: content });
  }
  return messages;
}

/**
 * The running turn: its trigger, what it has answered so far, and input that came while it ran, at the step that heard
 * it.
 *
 * @param steered - each item with the iteration before which it was heard.
 */
export function turnTranscript(
  trigger: ItemRow,
  reaction: ItemRow,
  parts: readonly PartRow[],
  steered: readonly { item: ItemRow; iteration: number }[],
): TranscriptMessage[] {
  const messages: TranscriptMessage[] = [{ id: trigger.id, role: trigger.role, parts: trigger.content }];
  let from = 0;
  const upTo = (end: number) => {
    const shown = parts
      .slice(from, end)
      .filter((part) => !isUnderWay(part))
      .map(toPart);
    if (shown.length > 0) messages.push({ id: reaction.id, role: "assistant", parts: shown });
    from = end;
  };
  for (const { item, iteration } of steered) {
    const end = parts.findIndex((part) => (part.content.step ?? 0) >= iteration);
    upTo(end === -1 ? parts.length : end);
    messages.push({ id: item.id, role: item.role, parts: item.content });
  }
  upTo(parts.length);
  return messages;
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
