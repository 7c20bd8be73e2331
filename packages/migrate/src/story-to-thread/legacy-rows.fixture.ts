import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { deriveId, type JsonObject } from "@hebra/core";
import { shared } from "@hebra/test-servers/shared";

/** The shared dialogues, when they are there. */
const dialoguesFile = shared("data/sgd-dev.jsonl.gz");
export const hasDialogues = dialoguesFile.present;

interface Dialogue {
  id: string;
  turns: {
    speaker: "USER" | "SYSTEM";
    utterance: string;
    call?: { service: string; method: string; parameters: JsonObject };
    results?: JsonObject[];
  }[];
}

/** The five tables of the old engine. */
export type LegacyTables = Record<
  "context_contexts" | "context_events" | "story_executions" | "story_steps" | "story_parts",
  JsonObject[]
>;

export const emptyTables = (): LegacyTables => ({
  context_contexts: [],
  context_events: [],
  story_executions: [],
  story_steps: [],
  story_parts: [],
});

/** What the old engine would have written of a dialogue: as it did, parts were saved before their calls had results. */
export function addDialogue(tables: LegacyTables, { id, turns }: Dialogue, start = 1_700_000_000_000): void {
  const name = (...parts: (string | number)[]) => deriveId("legacy", id, ...parts);
  const context = name("context");
  let time = start;
  const at = () => {
    const createdAt = new Date((time += 1_000)).toISOString();
    return { createdAt, updatedAt: createdAt };
  };
  tables.context_contexts.push({ id: context, key: id, status: "open", content: { title: `Dialogue ${id}` }, ...at() });
  for (let i = 0; i + 1 < turns.length; i += 2) {
    const user = turns[i]!;
    const system = turns[i + 1]!;
    const text = { type: "text", text: system.utterance };
    const tool = system.call && {
      type: `tool-${system.call.service}_${system.call.method}`,
      toolCallId: `call-${i}`,
      input: system.call.parameters,
    };
    tables.context_events.push({
      id: name("user", i),
      context: { id: context },
      type: "input_text",
      channel: "web",
      status: "stored",
      content: { parts: [{ type: "text", text: user.utterance }] },
      ...at(),
    });
    tables.story_executions.push({
      id: name("execution", i),
      context: [{ id: context }],
      trigger: name("user", i),
      reaction: name("assistant", i),
      status: "completed",
      workflowRunId: `run-${i}`,
      ...at(),
    });
    const steps = tool === undefined ? [[text]] : [[{ ...tool, state: "input-available" }], [text]];
    steps.forEach((parts, iteration) => {
      const step = name("step", i, iteration);
      const results =
        tool !== undefined && iteration === 0
          ? [{ toolCallId: tool.toolCallId, success: true, output: system.results ?? [] }]
          : [];
      tables.story_steps.push({
        id: step,
        execution: name("execution", i),
        iteration,
        status: "completed",
        toolExecutionResults: results as JsonObject[],
        ...at(),
      });
      parts.forEach(
        (part, idx) =>
          void tables.story_parts.push({
            id: name("part", i, iteration, idx),
            key: `${step}:${idx}`,
            step,
            idx,
            type: part.type,
            part: part as JsonObject,
            ...at(),
          }),
      );
    });
    const settled = tool === undefined ? [] : [{ ...tool, state: "output-available", output: system.results ?? [] }];
    tables.context_events.push({
      id: name("assistant", i),
      context,
      type: "output_text",
      channel: "web",
      status: "completed",
      content: { parts: [...settled, text] as JsonObject[] },
      ...at(),
    });
  }
}

/** Writes the tables as the source's files. */
export function writeTables(folder: string, tables: LegacyTables): void {
  mkdirSync(folder, { recursive: true });
  for (const [entity, rows] of Object.entries(tables))
    writeFileSync(join(folder, `${entity}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** The shared dialogues as legacy tables. @param limit - how many dialogues. */
export async function dialogueTables(limit = Infinity): Promise<LegacyTables> {
  const tables = emptyTables();
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(dialoguesFile.path).pipe(createGunzip()) })) {
    if (count++ >= limit) break;
    addDialogue(tables, JSON.parse(line) as Dialogue);
  }
  return tables;
}

/** A conversation of two exchanges, one with a call. */
export const small: Dialogue = {
  id: "small",
  turns: [
    { speaker: "USER", utterance: "Where is my order?" },
    {
      speaker: "SYSTEM",
      utterance: "On its way.",
      call: { service: "Orders", method: "find", parameters: { order: "7" } },
      results: [{ order: "7", status: "shipped" }],
    },
    { speaker: "USER", utterance: "Thanks." },
    { speaker: "SYSTEM", utterance: "You are welcome." },
  ],
};
