import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "@hebra/core";
import type { StoryGroup } from "../source/source.ts";
import { buildDocument } from "./build-document.ts";
import { addDialogue, emptyTables, small, type LegacyTables } from "./legacy-rows.fixture.ts";

const group = (tables: LegacyTables): StoryGroup => ({
  context: tables.context_contexts[0]!,
  events: tables.context_events,
  executions: tables.story_executions,
  steps: tables.story_steps,
  parts: tables.story_parts,
});
const smallGroup = (): StoryGroup => {
  const tables = emptyTables();
  addDialogue(tables, small);
  return group(tables);
};
const rows = (list: object[]) => list as JsonObject[];

describe("a conversation of the old engine", () => {
  it("keeps ids, times, order and links, and merges each result into the part of its call", () => {
    const source = smallGroup();
    const { document, rejects } = buildDocument(source);
    expect(rejects).toEqual([]);
    const { thread, context, items, executions, steps, parts, calls } = document!;
    expect(thread).toMatchObject({
      key: "small",
      name: "Dialogue small",
      mainContextId: (context as JsonObject)["id"],
    });
    expect(context).toMatchObject({
      id: source.context["id"],
      status: "open",
      seq: 4,
      state: { title: "Dialogue small" },
    });
    expect(rows(items).map(({ id, seq, kind, role }) => [id, seq, kind, role])).toEqual(
      source.events.map(({ id }, i) => [id, i + 1, i % 2 ? "reaction" : "trigger", i % 2 ? "assistant" : "user"]),
    );
    expect(executions).toMatchObject([
      { status: "completed", outcome: "stop", correlation: { workflowRunId: "run-0" }, usage: { steps: 2, calls: 1 } },
      { usage: { steps: 1, calls: 0 } },
    ]);
    expect(steps).toHaveLength(3);
    expect(rows(parts).map(({ kind, index, itemId }) => [kind, index, itemId])).toEqual([
      ["action", 0, source.events[1]!["id"]],
      ["text", 1, source.events[1]!["id"]],
      ["text", 0, source.events[3]!["id"]],
    ]);
    expect(parts[0]).toMatchObject({
      content: {
        kind: "action",
        name: "Orders_find",
        status: "succeeded",
        output: [{ order: "7", status: "shipped" }],
        step: 0,
      },
    });
    expect(calls).toMatchObject([
      { status: "succeeded", input: { order: "7" }, output: [{ order: "7", status: "shipped" }] },
    ]);
  });

  it("gives the same bytes whatever the order of its rows", () => {
    const expected = JSON.stringify(buildDocument(smallGroup()).document);
    const shuffled = fc.gen().map((make) => {
      const source = smallGroup();
      const shuffle = (list: JsonObject[]) =>
        make(fc.shuffledSubarray<JsonObject>, list, { minLength: list.length, maxLength: list.length });
      return {
        ...source,
        events: shuffle(source.events),
        executions: shuffle(source.executions),
        steps: shuffle(source.steps),
        parts: shuffle(source.parts),
      };
    });
    fc.assert(
      fc.property(shuffled, (source) => {
        expect(JSON.stringify(buildDocument(source).document)).toBe(expected);
      }),
      { seed: 11, numRuns: 100 },
    );
  });

  it("closes what was left unfinished", () => {
    const source = smallGroup();
    source.executions[0]!["status"] = "executing";
    source.events[1]!["status"] = "pending";
    source.events[1]!["content"] = { parts: [] };
    source.steps[0]!["status"] = "running";
    source.steps[0]!["toolExecutionResults"] = [];
    const { document } = buildDocument(source);
    expect(document!.executions[0]).toMatchObject({ status: "incomplete", outcome: "imported-unfinished" });
    expect(document!.items[1]).toMatchObject({ status: "failed" });
    expect(document!.steps[0]).toMatchObject({ status: "cancelled" });
    expect(document!.calls[0]).toMatchObject({ status: "interrupted" });
    expect(document!.parts[0]).toMatchObject({
      content: { status: "failed", error: expect.stringContaining("never settled") as string },
    });
  });

  it("loses no part: what only the message holds follows the steps' parts, and what has no counterpart is kept whole", () => {
    const source = smallGroup();
    const content = source.events[3]!["content"] as { parts: JsonObject[] };
    content.parts.push({ type: "codex-event", diff: "+1" }, { type: "text", text: "PS." });
    const { document } = buildDocument(source);
    const own = rows(document!.parts).filter(({ itemId }) => itemId === source.events[3]!["id"]);
    expect(own.map((part) => part["content"])).toMatchObject([
      { kind: "text", text: "You are welcome." },
      { kind: "data", name: "codex-event", data: { diff: "+1" } },
      { kind: "text", text: "PS." },
    ]);
    expect(own.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it("keeps a message without steps in the message", () => {
    const source = { ...smallGroup(), executions: [], steps: [], parts: [] };
    const { document, rejects } = buildDocument(source);
    expect(rejects).toEqual([]);
    expect(document!.items[1]).toMatchObject({
      executionId: null,
      content: [{ kind: "action", status: "succeeded" }, { kind: "text" }],
    });
    expect(document!.parts).toEqual([]);
  });

  it.each([
    [
      "an event without a time",
      (s: StoryGroup) => void delete s.events[0]!["createdAt"],
      { entity: "context_events", code: "ROW_INVALID", path: "createdAt" },
    ],
    [
      "a time without a zone",
      (s: StoryGroup) => void (s.events[0]!["createdAt"] = "2023-01-01 10:00"),
      { entity: "context_events", code: "ROW_INVALID", path: "createdAt" },
    ],
    [
      "a status that nobody knows",
      (s: StoryGroup) => void (s.executions[0]!["status"] = "paused"),
      { entity: "story_executions", code: "ROW_INVALID", path: "status" },
    ],
    [
      "an execution without a trigger",
      (s: StoryGroup) => void delete s.executions[1]!["trigger"],
      { entity: "story_executions", code: "ROW_INVALID", path: "trigger" },
    ],
    [
      "a part of no step",
      (s: StoryGroup) => void (s.parts[0]!["step"] = "nowhere"),
      { entity: "story_parts", code: "ROW_ORPHANED", path: "stepId" },
    ],
    [
      "a context without a time",
      (s: StoryGroup) => void delete s.context["createdAt"],
      { entity: "context_contexts", code: "ROW_INVALID", path: "createdAt" },
    ],
  ])("rejects %s, and what hangs on it, with a code", (_what, spoil, expected) => {
    const source = smallGroup();
    spoil(source);
    const total = 1 + source.events.length + source.executions.length + source.steps.length + source.parts.length;
    const { document, rejects } = buildDocument(source);
    expect(rejects[0]).toMatchObject(expected);
    // No row is ever dropped: it is in the document or among the rejects.
    const kept =
      document === undefined
        ? 0
        : 1 +
          document.items.length +
          document.executions.length +
          document.steps.length +
          document.parts.filter((part) => (part as JsonObject)["stepId"] !== null).length;
    expect(kept + rejects.length).toBe(total);
  });
});
