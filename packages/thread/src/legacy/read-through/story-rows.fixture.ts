import type { JsonObject } from "@hebra/core";
import type { LegacyTables } from "./memory-reader.ts";

const at = (second: number) => ({
  createdAt: new Date(1_760_000_000_000 + second * 1_000).toISOString(),
  updatedAt: new Date(1_760_000_000_000 + second * 1_000).toISOString(),
});

export type MutableTables = { [K in keyof Required<LegacyTables>]: JsonObject[] };

/** A conversation of one exchange with a call, as the old engine wrote it; `turns` more of plain text follow. */
export function storyRows(name = "c", turns = 0): MutableTables {
  const tables: MutableTables = {
    context_contexts: [{ id: name, key: `customer-${name}`, status: "open", content: { orders: 1 }, ...at(0) }],
    context_events: [
      {
        id: `${name}-in`,
        context: { id: name },
        type: "input_text",
        channel: "web",
        status: "stored",
        content: { parts: [{ type: "text", text: "Where is A-7?" }] },
        ...at(1),
      },
      {
        id: `${name}-out`,
        context: { id: name },
        type: "output_text",
        channel: "web",
        status: "completed",
        content: {
          parts: [
            {
              type: "tool-find",
              toolCallId: "call-1",
              state: "output-available",
              input: { number: "A-7" },
              output: { status: "shipped" },
            },
            { type: "text", text: "It has shipped." },
          ],
        },
        ...at(3),
      },
    ],
    story_executions: [
      {
        id: `${name}-run`,
        context: { id: name },
        trigger: `${name}-in`,
        reaction: `${name}-out`,
        status: "completed",
        ...at(2),
      },
    ],
    story_steps: [
      {
        id: `${name}-step`,
        execution: { id: `${name}-run` },
        iteration: 0,
        status: "completed",
        toolExecutionResults: [{ toolCallId: "call-1", success: true, output: { status: "shipped" } }],
        ...at(2),
      },
    ],
    story_parts: [
      {
        id: `${name}-part`,
        key: `${name}-step:0`,
        step: { id: `${name}-step` },
        idx: 0,
        type: "tool-find",
        part: { type: "tool-find", toolCallId: "call-1", input: { number: "A-7" } },
        ...at(2),
      },
    ],
  };
  for (let i = 0; i < turns; i++) addStoryTurn(tables, name, i);
  return tables;
}

/** One more exchange of plain text. */
export function addStoryTurn(tables: MutableTables, name: string, i: number): void {
  const second = 10 + i * 10;
  const event = (id: string, type: string, text: string, offset: number) => ({
    id,
    context: { id: name },
    type,
    channel: "web",
    status: "completed",
    content: { parts: [{ type: "text", text }] },
    ...at(second + offset),
  });
  tables.context_events.push(
    event(`${name}-in-${i}`, "input_text", `Question ${i}`, 0),
    event(`${name}-out-${i}`, "output_text", `Answer ${i}`, 2),
  );
  tables.story_executions.push({
    id: `${name}-run-${i}`,
    context: { id: name },
    trigger: `${name}-in-${i}`,
    reaction: `${name}-out-${i}`,
    status: "completed",
    ...at(second + 1),
  });
}
