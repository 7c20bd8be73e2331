import assert from "node:assert/strict";
import { test } from "vitest";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import { callChunk, finishV3, modelOf, textChunks, type Chunk } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";

const search = { ...callChunk("srv_1", "web_search", "{}"), providerExecuted: true } as Chunk;
const ending = async (raw: string, ...chunks: Chunk[]) => {
  const finish = { ...finishV3(), finishReason: { unified: "stop", raw } } as Chunk;
  return (await collectEvents(aiSdkReactor({ model: modelOf([...chunks, finish]) }).react(createReactorInput()))).at(
    -1,
  );
};

test("an answer that its provider paused is not the end of the turn: the model is asked once more [RE-4]", async () => {
  assert.deepEqual(await ending("pause_turn", ...textChunks("t", "Searching."), search), {
    type: "finish",
    reason: "other",
  });
  assert.deepEqual(await ending("end_turn", ...textChunks("t", "Found."), search), { type: "finish", reason: "stop" });
  // Calls of the host's actions come first.
  assert.deepEqual(await ending("pause_turn", callChunk("c", "note", "{}")), { type: "finish", reason: "actions" });
});
