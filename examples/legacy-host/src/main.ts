import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { getThreadRuntime } from "@old-engine/thread/runtime";
import "./host/bootstrap.ts";
import { desk, log, question, type DeskEnv } from "./host/desk.ts";
import { greeter, known } from "./host/greeter.ts";

const env: DeskEnv = { orgId: "acme", operator: "Ana" };
const texts = (parts: { type: string; text?: string }[]) => parts.map(({ type, text }) => text ?? type);

// The old conversation is there before anything has been migrated.
const { store, threadStore } = await getThreadRuntime(env);
assert.deepEqual(
  (await store.getItems({ key: "customer-1" })).map(({ id, content }) => [id, texts(content.parts)[0]]),
  [
    ["old-in", "Do you ship to Lisbon?"],
    ["old-out", "We do."],
  ],
);

// The host's own thread goes on with it: default reactor, phased tools, hooks, its own stream.
const chunks: { type: string }[] = [];
const turn = await desk.react(question("m-1", "Where is A-7?"), {
  env,
  context: { key: "customer-1" },
  options: { writable: new WritableStream({ write: (chunk: { type: string }) => void chunks.push(chunk) }) },
});
assert.equal(turn.contextId, "ctx-1");
assert.equal(turn.triggerEventId, "m-1");
assert.deepEqual(turn.context.content, { orgId: "acme", questions: 3 });
assert.deepEqual(log, ["Ana looks for A-7", "find_order: ok", "complete: ok"]);
assert.deepEqual(
  chunks
    .map(({ type }) => type)
    .filter((type) => type.startsWith("data-") || type.startsWith("tool-output") || type === "finish"),
  [
    "data-context-id",
    "data-thread-ping",
    "data-context-substate",
    "tool-output-available",
    "data-context-substate",
    "data-context-substate",
    "tool-output-available",
    "data-context-substate",
    "finish",
  ],
);
const items = await store.getItems({ id: "ctx-1" });
assert.deepEqual(
  items.map(({ id, status }) => [id, status]),
  [
    ["old-in", "stored"],
    ["old-out", "completed"],
    ["m-1", "stored"],
    [turn.reactionEventId, "completed"],
  ],
);
assert.deepEqual(
  items[3]!.content.parts.map(({ type, state, output }: Record<string, unknown>) => [type, state, output]),
  [
    ["tool-find_order", "output-available", { number: "A-7", status: "shipped" }],
    ["tool-complete", "output-available", { answer: "shipped" }],
  ],
);

// The same message delivered twice is one turn; the old engine answered twice.
assert.equal(
  (await desk.react(question("m-1", "Where is A-7?"), { env, context: { key: "customer-1" } })).executionId,
  turn.executionId,
);

// A new conversation, of another tenant, by a story that is found by its key.
const other: DeskEnv = { orgId: "globex", operator: "Bo" };
assert.deepEqual(known(), ["greeter.agent"]);
const greeting = await greeter()!.stream(question("m-1", "Hi"), { env: other, context: { key: "customer-1" } });
assert.deepEqual(greeting.context.content, { greeted: 1 });
assert.notEqual(greeting.contextId, "ctx-1");
assert.equal((await store.getItems({ key: "customer-1" })).length, 4);

// What is not carried over says what to use.
await assert.rejects(
  (store as unknown as { saveItem(): Promise<void> }).saveItem(),
  (error) => HebraError.isInstance(error) && error.code === "UNSUPPORTED",
);

await threadStore.close();
console.log(
  `The old host ran unchanged: ${items.length} items in one conversation, ${chunks.length} chunks on its stream.`,
);
