import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCaptured } from "@hebra/cli-kit/testing";
import { scriptedReactor, type TranscriptMessage } from "@hebra/reactor";
import { createEngine, defineThread } from "@hebra/thread";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { test } from "vitest";
import type { JsonObject, JsonValue } from "@hebra/core";
import { program } from "../cli/program.ts";
import { wholeRun } from "../run/whole-run.fixture.ts";

const { folder } = wholeRun();

/** Plans, applies, applies again and verifies by command line. */
async function move(mapping: string, file: string, content: string): Promise<Record<string, unknown>> {
  mkdirSync(join(folder(), "old"), { recursive: true });
  writeFileSync(join(folder(), "old", file), content);
  const run = async (command: string) => {
    const out =
      command === "verify"
        ? []
        : ["--out", join(folder(), "artifacts"), ...(command === "apply" ? ["--max-rejects", "9"] : [])];
    const source = ["--source", join(folder(), "old"), "--mapping", mapping, "--target", join(folder(), "desk.sqlite")];
    const { code, out: text } = await runCaptured(program, [command, "--json", ...source, ...out]);
    return { exit: code, ...(JSON.parse(text) as JsonObject) } as Record<string, unknown>;
  };
  const planned = await run("plan");
  assert.equal(planned["exit"], 0);
  assert.equal((await run("apply"))["exit"], 0);
  assert.equal((await run("apply"))["changed"], 0);
  const verified = await run("verify");
  assert.deepEqual([verified["exit"], verified["ok"]], [0, true]);
  return planned;
}

/** What the next model call of each conversation reads, without the new message. */
async function nextCall(...addresses: ({ key: string } | { contextId: string })[]): Promise<TranscriptMessage[][]> {
  const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
  const seen: TranscriptMessage[][] = [];
  const reactor = scriptedReactor({
    steps: [
      (input) => {
        seen.push(input.transcript.slice(0, -1));
        return { text: "Welcome back." };
      },
    ],
    repeatLast: true,
  });
  const desk = defineThread({ name: "desk", reactor });
  const engine = createEngine({ store, threads: [desk] });
  for (const address of addresses) {
    const turn = await engine.react(desk, { id: "next", text: "Go on" }, { address });
    assert.equal((await turn.result).status, "completed");
  }
  await engine.close();
  await store.close();
  return seen;
}

const words = (messages: readonly TranscriptMessage[]): JsonValue =>
  messages.map(({ role, parts }) => [
    role,
    ...parts.map((part) =>
      part.kind === "text"
        ? part.text
        : part.kind === "action"
          ? [part.name, part.input, part.status, part.output ?? part.error ?? null]
          : part.kind,
    ),
  ]) as JsonValue;

test("arrays of AI SDK UI messages are moved by a mapping that comes with the kit [MI-5]", async () => {
  const conversation = {
    id: "chat-1",
    messages: [
      { id: "m1", role: "user", parts: [{ type: "text", text: "Where is my order?" }] },
      {
        id: "m2",
        role: "assistant",
        parts: [
          { type: "step-start" },
          {
            type: "tool-find",
            toolCallId: "c1",
            state: "output-available",
            input: { order: 7 },
            output: { status: "shipped" },
          },
          { type: "step-start" },
          { type: "text", text: "On its way." },
        ],
      },
    ],
  };
  await move("ui-messages", "conversations.json", JSON.stringify([conversation]));
  const [seen] = await nextCall({ key: "chat-1" });
  assert.deepEqual(words(seen!), [
    ["user", "Where is my order?"],
    ["assistant", ["find", { order: 7 }, "succeeded", { status: "shipped" }], "On its way."],
  ]);
});

test("OpenAI chat messages, one conversation a line, are moved with results in their calls [MI-5]", async () => {
  const call = { id: "c1", type: "function", function: { name: "find", arguments: '{"order":7}' } };
  const messages = [
    { role: "developer", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Where is it?" }] },
    { role: "assistant", content: null, tool_calls: [call, { ...call, id: "c2" }] },
    { role: "tool", tool_call_id: "c1", content: "shipped" },
    { role: "tool", tool_call_id: "c9", content: "lost" },
    { role: "assistant", content: "On its way." },
  ];
  const planned = await move("openai-messages", "conversations.jsonl", `${JSON.stringify({ messages })}\n`);
  assert.deepEqual(planned["rejects"], { count: 1, byCode: { ROW_ORPHANED: 1 } });
  const [seen] = await nextCall({ key: "row 1" });
  const unknown = "The call was never settled by the system that made it; whether it took effect is unknown.";
  assert.deepEqual(words(seen!), [
    ["system", "Be brief."],
    ["user", "Where is it?"],
    ["assistant", ["find", { order: 7 }, "succeeded", "shipped"], ["find", { order: 7 }, "failed", unknown]],
    ["assistant", "On its way."],
  ]);
});

test("a ChatGPT export's tree becomes its current line and a fork for each other branch, and each tip can go on [MI-5]", async () => {
  const node = (id: string, parent: string | null, role?: string, text?: string) => ({
    id,
    parent,
    message:
      role === undefined
        ? null
        : {
            id: `m-${id}`,
            author: { role },
            create_time: 1_700_000_000.5,
            content: { content_type: "text", parts: [text] },
          },
  });
  const nodes = [
    node("root", null),
    node("q", "root", "user", "Name a colour."),
    node("red", "q", "assistant", "Red."),
    node("blue", "q", "assistant", "Blue."),
    node("why", "blue", "user", "Why?"),
    node("because", "why", "assistant", "It is calm."),
    node("other", "why", "assistant", "No reason."),
    node("edited", "root", "user", "Name a number."),
  ];
  const mapping = Object.fromEntries(nodes.map((each) => [each.id, each]));
  const conversation = { id: "tree", title: "Colours", create_time: 1_700_000_000, mapping, current_node: "because" };
  const planned = await move("chatgpt-export", "conversations.json", JSON.stringify([conversation]));
  assert.deepEqual(planned["expected"], {
    threads: 1,
    contexts: 4,
    items: 7,
    executions: 0,
    steps: 0,
    parts: 0,
    calls: 0,
  });
  const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
  const lines: string[] = [];
  for await (const { bundle } of store.system().export()) lines.push(bundle.context.id);
  const main = (await store.load("default", { key: "tree" }))!.context.id;
  await store.close();
  const seen = await nextCall(
    { key: "tree" },
    ...lines.filter((id) => id !== main).map((contextId) => ({ contextId })),
  );
  assert.deepEqual(words(seen[0]!), [
    ["user", "Name a colour."],
    ["assistant", "Blue."],
    ["user", "Why?"],
    ["assistant", "It is calm."],
  ]);
  const tips = seen.slice(1).map((messages) => (words(messages) as string[][]).map((message) => message[1]).join(" "));
  assert.deepEqual(tips.sort(), ["Name a colour. Blue. Why? No reason.", "Name a colour. Red.", "Name a number."]);
});
