import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import type { JsonObject } from "@hebra/core";

/** One line of a dialogue. */
export interface DialogueTurn {
  speaker: "USER" | "SYSTEM";
  utterance: string;
  /** What the speaker looked up before it said this. */
  call?: { service: string; method: string; parameters: JsonObject };
  results?: JsonObject[];
}

/** A conversation between a customer and a desk, in the format of the Schema-Guided Dialogue files. */
export interface Dialogue {
  id: string;
  services: string[];
  turns: DialogueTurn[];
}

/** Reads dialogues one by one from a file of JSON lines, plain or gzipped. */
export async function* readDialogues(path: string): AsyncGenerator<Dialogue> {
  const file = createReadStream(path);
  const input = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line.trim() !== "") yield JSON.parse(line) as Dialogue;
  }
}

/** A customer's line with the desk's answer to it. */
export interface Exchange {
  user: DialogueTurn;
  system: DialogueTurn;
}

/** Pairs the lines of a dialogue. @throws Error when the speakers do not alternate, beginning with the customer. */
export function exchanges(dialogue: Dialogue): Exchange[] {
  const pairs: Exchange[] = [];
  for (let i = 0; i < dialogue.turns.length; i += 2) {
    const user = dialogue.turns[i];
    const system = dialogue.turns[i + 1];
    if (user?.speaker !== "USER" || system?.speaker !== "SYSTEM") throw new Error(`Dialogue ${dialogue.id}: the speakers do not alternate at line ${i}.`);
    pairs.push({ user, system });
  }
  return pairs;
}
