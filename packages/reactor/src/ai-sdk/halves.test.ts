import assert from "node:assert/strict";
import { test } from "vitest";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import { callChunk, finishV3, modelOf, textChunks, type Chunk } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";

const half = "\ud83d";
const ran = (id: string) => ({ ...callChunk(id, "search", "{}"), providerExecuted: true }) as Chunk;

test.each<[string, Chunk[], RegExp]>([
  ["the input of a call", [callChunk("c", "note", '{"a\\ud83d":["b\\ud83d"]}')], /"a\ufffd":\["b\ufffd"\]/],
  ["input that is no JSON", [callChunk("c", "note", `{"a${half}`)], /a\ufffd/],
  ["the name of an action", [callChunk("c", `note${half}`, "{}")], /note\ufffd/],
  ["text", textChunks("t", `Hi${half}`), /"delta":"\ufffd"/],
  [
    "the title of a source",
    [{ type: "source", sourceType: "url", id: "s", url: "https://example.org/", title: `A${half}` }],
    /A\ufffd/,
  ],
  [
    "the result of a provider's tool",
    [ran("r"), { type: "tool-result", toolCallId: "r", toolName: "search", result: { a: half } }],
    /"a":"\ufffd"/,
  ],
  [
    "the error of a provider's tool",
    [ran("r"), { type: "tool-result", toolCallId: "r", toolName: "search", result: `No${half}`, isError: true }],
    /No\ufffd/,
  ],
])("half a character in %s becomes U+FFFD, and the turn goes on [RE-8]", async (_, chunks, expected) => {
  const reactor = aiSdkReactor({ model: modelOf([...chunks, finishV3(chunks.length > 1 ? "stop" : "tool-calls")]) });
  const events = JSON.stringify(await collectEvents(reactor.react(createReactorInput())));
  // JSON.stringify writes a lone half as an escape.
  assert.doesNotMatch(events, /\\ud83d/);
  assert.match(events, expected);
});
