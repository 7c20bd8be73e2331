import assert from "node:assert/strict";
import { test } from "vitest";
import type { ActionPart } from "../transcript.ts";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import { toModelMessages } from "./messages.ts";
import { callChunk, finishV3, modelOf, type Chunk } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";

const itemId = { openai: { itemId: "tso_0a1b" } };

test("what a provider sends with the result of its own tool comes with the result's event [RE-3]", async () => {
  const call = { ...callChunk("tsc_0a1b", "tool_search", "{}"), providerExecuted: true } as Chunk;
  const result = {
    type: "tool-result",
    toolCallId: "tsc_0a1b",
    toolName: "tool_search",
    result: { tools: [] },
    providerMetadata: itemId,
  } as Chunk;
  const events = await collectEvents(
    aiSdkReactor({ model: modelOf([call, result, finishV3()]) }).react(createReactorInput()),
  );
  const [found] = events.filter(({ type }) => type === "action-result");
  assert.deepEqual(found, {
    type: "action-result",
    callId: "tsc_0a1b",
    status: "succeeded",
    output: { tools: [] },
    providerMetadata: itemId,
  });
});

test("it goes back with the result to the provider that sent it, and to no other [RE-3]", async () => {
  const part: ActionPart = {
    kind: "action",
    callId: "tsc_0a1b",
    name: "tool_search",
    input: {},
    status: "succeeded",
    output: { tools: [] },
    ownedByReactor: true,
    providerMetadata: { openai: { itemId: "tsc_0a1b" }, hebra: { provider: "openai.responses" } },
    resultMetadata: itemId,
  };
  const shown = async (provider: string) =>
    (await toModelMessages([{ id: "1", role: "assistant", parts: [part] }], { provider })).flatMap(({ content }) =>
      typeof content === "string" ? [] : content.filter(({ type }) => type === "tool-result"),
    );
  const [own] = await shown("openai.responses");
  assert.deepEqual((own as { providerOptions?: unknown }).providerOptions, itemId);
  const [foreign] = await shown("anthropic.messages");
  assert.equal((foreign as { providerOptions?: unknown }).providerOptions, undefined);
});
