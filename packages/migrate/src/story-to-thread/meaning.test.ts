import assert from "node:assert/strict";
import { test } from "vitest";
import type { JsonObject } from "@hebra/core";
import type { StoryGroup } from "../source/source.ts";
import { buildThreads } from "../own/build.ts";
import { uiMessages } from "../own/presets.ts";
import { buildDocument } from "./build-document.ts";
import { addDialogue, emptyTables, small } from "./legacy-rows.fixture.ts";

const signature = { anthropic: { signature: "sig-1" } };
const stored: JsonObject[] = [
  { type: "step-start" },
  { type: "reasoning", text: "Hm.", providerMetadata: signature },
  {
    type: "tool-refund",
    toolCallId: "c1",
    state: "output-denied",
    input: { order: 7 },
    approval: { id: "a1", approved: false, reason: "too much" },
    callProviderMetadata: { google: { thoughtSignature: "sig-2" } },
  },
  { type: "tool-find", toolCallId: "c2", state: "output-error", rawInput: "{order", errorText: "no JSON" },
  { type: "step-start" },
  { type: "text", text: "I may not refund." },
];
const kept: JsonObject[] = [
  { kind: "reasoning", text: "Hm.", step: 0, providerMetadata: signature },
  {
    kind: "action",
    callId: "c1",
    name: "refund",
    input: { order: 7 },
    step: 0,
    status: "failed",
    error: "A person denied this call: too much",
    providerMetadata: { google: { thoughtSignature: "sig-2" } },
  },
  { kind: "action", callId: "c2", name: "find", input: "{order", step: 0, status: "failed", error: "no JSON" },
  { kind: "text", text: "I may not refund.", step: 1 },
];

function story(): StoryGroup {
  const tables = emptyTables();
  addDialogue(tables, small);
  return {
    context: tables.context_contexts[0]!,
    events: tables.context_events,
    executions: tables.story_executions,
    steps: tables.story_steps,
    parts: tables.story_parts,
  };
}

test("stored UI messages keep their meaning: steps are no words, a denial stays one, signatures and raw input stay [MI-3]", () => {
  const group = { ...story(), executions: [], steps: [], parts: [] };
  group.events[1]!["content"] = { parts: stored };
  const { document, rejects } = buildDocument(group);
  assert.deepEqual(rejects, []);
  assert.deepEqual((document!.items[1] as JsonObject)["content"], kept);

  const conversation = { id: "x", messages: [{ id: "m1", role: "assistant", parts: stored }] };
  const [built] = buildThreads(uiMessages, { id: "x", conversation, messages: [], toolCalls: [] });
  assert.deepEqual((built!.document!.items[0] as JsonObject)["content"], kept);
});

test("rows of parts keep the same meaning, and the call's row is denied [MI-3]", () => {
  const group = story();
  const step = group.steps[2]!["id"]!;
  group.events[3]!["content"] = { parts: stored };
  group.steps[2]!["toolExecutionResults"] = [];
  group.parts = stored.map((part, idx) => ({ id: `p-${idx}`, step, idx, part }));
  const { document } = buildDocument(group);
  const parts = document!.parts as JsonObject[];
  assert.deepEqual(
    parts.map(({ content }) => content),
    kept.map((part) => ({ ...part, step: 0 })),
  );
  assert.deepEqual(
    (document!.calls as JsonObject[]).map(({ callId, status, error }) => [
      callId,
      status,
      (error as JsonObject)["code"],
    ]),
    [
      ["c1", "denied", "APPROVAL_DECIDED"],
      ["c2", "failed", "ACTION_FAILED"],
    ],
  );
});
