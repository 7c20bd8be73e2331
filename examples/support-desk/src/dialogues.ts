import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { errorMessage, HebraError, parseOptions, type JsonObject } from "@hebra/core";
import * as z from "zod";

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
  turns: DialogueTurn[];
}

const turn = z.looseObject({
  speaker: z.enum(["USER", "SYSTEM"]),
  utterance: z.string(),
  call: z
    .looseObject({
      service: z.string().min(1),
      method: z.string().min(1),
      parameters: z.record(z.string(), z.unknown()),
    })
    .optional(),
  results: z.array(z.record(z.string(), z.unknown())).optional(),
});
const dialogue = z.looseObject({ id: z.string().min(1), turns: z.array(turn).min(1) });

/**
 * Reads dialogues one by one from a file of JSON lines, plain or gzipped.
 *
 * @throws HebraError `SOURCE_INVALID` naming the file, and the line where one is wrong
 */
export async function* readDialogues(path: string): AsyncGenerator<Dialogue> {
  const ids = new Set<string>();
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    if (line.trim() === "") continue;
    const found = parseDialogue(line, `${path}, line ${number}`);
    if (ids.has(found.id)) throw invalid(`${path}, line ${number}`, `the dialogue ${found.id} came before`);
    ids.add(found.id);
    yield found;
  }
  if (ids.size === 0) throw invalid(path, "it holds no dialogue");
}

function parseDialogue(line: string, where: string): Dialogue {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw invalid(where, `it is not JSON (${errorMessage(error)})`);
  }
  try {
    parseOptions("the dialogue", dialogue, value);
  } catch (error) {
    throw invalid(where, errorMessage(error).replace(/\.$/, ""));
  }
  const found = value as Dialogue;
  found.turns.forEach(({ speaker }, at) => {
    if (speaker !== (at % 2 === 0 ? "USER" : "SYSTEM"))
      throw invalid(
        where,
        `the speakers of ${found.id} do not alternate, beginning with the customer: see turn ${at + 1}`,
      );
  });
  if (found.turns.length % 2 !== 0) throw invalid(where, `${found.id} ends without an answer`);
  return found;
}

function invalid(where: string, what: string): HebraError {
  return new HebraError("SOURCE_INVALID", `${where}: ${what}.`, { details: { where } });
}

/**
 * The lines of a file, whatever its size. What goes wrong with the file is thrown here, and not out of a stream that
 * nobody listens to.
 */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  if (path.endsWith(".gz")) file.on("error", (error) => void gunzip.destroy(error)).pipe(gunzip);
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of (path.endsWith(".gz") ? gunzip : file) as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    throw invalid(path, `it cannot be read (${(error as NodeJS.ErrnoException).code ?? errorMessage(error)})`);
  }
  yield rest;
}

/** A customer's line with the desk's answer to it. */
export interface Exchange {
  user: DialogueTurn;
  system: DialogueTurn;
}

/** Pairs the lines of a dialogue. */
export function exchanges({ turns }: Dialogue): Exchange[] {
  return turns.flatMap((user, at) => (at % 2 === 0 ? [{ user, system: turns[at + 1]! }] : []));
}
