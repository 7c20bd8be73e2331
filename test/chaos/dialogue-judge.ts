import { canonicalJson, type JsonValue } from "@hebra/core";
import type { Dialogue } from "./dialogue-data.ts";

/** What a history says, in the words of the file. */
export type Said = {
  speaker: "USER" | "SYSTEM";
  utterance: string;
  call?: { service: string; method: string; parameters: JsonValue };
  results?: JsonValue;
  unsettled?: boolean;
};

/**
 * What is wrong with a history, in short; nothing when it equals the dialogue: texts, order, calls with their results.
 */
export function differences(dialogue: Dialogue, history: readonly Said[]): string[] {
  const found: string[] = [];
  const same = (a: unknown, b: unknown) =>
    canonicalJson((a ?? null) as JsonValue) === canonicalJson((b ?? null) as JsonValue);
  for (let at = 0; at < Math.max(dialogue.turns.length, history.length); at++) {
    const [expected, said] = [dialogue.turns[at], history[at]];
    // A call that found nothing has an empty list.
    const results = expected?.call === undefined ? undefined : (expected.results ?? []);
    const where = `${dialogue.id} turn ${at}`;
    if (expected === undefined) found.push(`${where}: too much`);
    else if (said === undefined) found.push(`${where}: missing`);
    else if (said.speaker !== expected.speaker) found.push(`${where}: said by the other`);
    else if (said.utterance !== expected.utterance) found.push(`${where}: another text`);
    else if (!same(said.call, expected.call)) found.push(`${where}: another call`);
    else if (!same(said.results, results)) found.push(`${where}: other results`);
    else if (said.unsettled === true) found.push(`${where}: a call that did not succeed`);
  }
  return found;
}
