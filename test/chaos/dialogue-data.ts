import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { JsonObject } from "@hebra/core";
import { shared } from "@hebra/test-servers/shared";

/** Two people who talk: the user first, then in turns. */
export interface Dialogue {
  id: string;
  turns: {
    speaker: "USER" | "SYSTEM";
    utterance: string;
    call?: { service: string; method: string; parameters: JsonObject };
    results?: JsonObject[];
  }[];
}

/** Where the dialogues are kept, beside the repository. */
export const dialogueFile = process.env["CHAOS_DIALOGUES"] ?? shared("data/sgd-dev.jsonl.gz").path;

let read: ReadonlyMap<string, Dialogue> | undefined;

/** All dialogues by id, or `undefined` where the file is absent. */
export function dialogues(): ReadonlyMap<string, Dialogue> | undefined {
  if (read === undefined && existsSync(dialogueFile)) {
    const lines = gunzipSync(readFileSync(dialogueFile)).toString("utf8").split("\n").filter(Boolean);
    read = new Map(lines.map((line) => JSON.parse(line) as Dialogue).map((dialogue) => [dialogue.id, dialogue]));
  }
  return read;
}
