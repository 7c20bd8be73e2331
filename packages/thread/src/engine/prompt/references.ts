import type { JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import type { HistoryEntry } from "../../store/store.ts";

/** The action by which a model reads what its prompt shows only the beginning of. */
export const READ_MORE = "read_more";

/** Names one part of a conversation, in a form that a model copies without a slip: item and place, such as `12.3`. */
export const referenceOf = (seq: number, index: number): string => `${seq}.${index}`;

/** @returns nothing for a text that is no reference */
export function parseReference(text: string): { seq: number; index: number } | undefined {
  const match = /^(\d{1,15})\.(\d{1,9})$/.exec(text.trim());
  return match === null ? undefined : { seq: Number(match[1]), index: Number(match[2]) };
}

/** An action's output as the model reads it. */
export const outputText = (output: JsonValue | undefined): string =>
  typeof output === "string" ? output : JSON.stringify(output ?? null);

/** The beginning of a text that is longer, and how to read the rest. */
export function beginning(text: string, characters: number, reference: string | undefined, length = text.length) {
  const head = text.slice(0, characters).toWellFormed();
  const rest =
    reference === undefined
      ? "The rest is not shown."
      : `Read on with ${READ_MORE}: {"reference": "${reference}", "offset": ${characters}}.`;
  return `${head}\n[The first ${Math.min(characters, length)} of ${length} characters. ${rest}]`;
}

/** The parts of an item with the places by which references name them. */
export function partsOf({ item, parts }: HistoryEntry): { index: number; part: TranscriptPart }[] {
  if (parts.length > 0) return parts.map(({ index, content }) => ({ index, part: content as TranscriptPart }));
  return item.content.map((part, index) => ({ index, part }));
}
