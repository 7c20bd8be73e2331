import assert from "node:assert/strict";
import { test } from "vitest";
import type { ProviderName } from "./providers.fixture.ts";
import { violations } from "./rules.fixture.ts";

const said = { role: "user", content: [{ type: "text", text: "Hello." }] };
const assistant = (...content: object[]) => ({ messages: [said, { role: "assistant", content }, said] });
const done = (id: string, type: string) => JSON.stringify({ type: "response.output_item.done", item: { id, type } });
const served = [done("rs_1", "reasoning"), done("msg_1", "message")];
const asks = { role: "user", content: [{ type: "input_text", text: "Hello." }] };
const turn = { role: "user", parts: [{ text: "Hello." }] };
const call = { role: "model", parts: [{ functionCall: { name: "find", args: {} } }] };

test.each<[string, ProviderName, Record<string, unknown>, RegExp]>([
  ["an empty message", "anthropic", assistant(), /no content/],
  ["blank text", "anthropic", assistant({ type: "text", text: "\n" }), /blank text/],
  ["thinking without a signature", "anthropic", assistant({ type: "thinking", thinking: "Hm." }), /no signature/],
  ["nothing but thinking", "anthropic", assistant({ type: "thinking", signature: "s" }), /nothing but thinking/],
  ["a call without a result", "anthropic", assistant({ type: "tool_use", id: "c" }), /without tool_result/],
  ["a search without a result", "anthropic", assistant({ type: "server_tool_use", id: "s" }), /without its result/],
  ["a conversation that the assistant opens", "anthropic", { messages: [{ ...said, role: "assistant" }] }, /first/],
  [
    "a result without a call",
    "anthropic",
    { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "c" }] }] },
    /without tool_use/,
  ],
  [
    "reasoning without a follower",
    "openai",
    { input: [asks, { type: "item_reference", id: "rs_1" }, asks] },
    /required following/,
  ],
  ["an item that was never stored", "openai", { input: [{ type: "item_reference", id: "msg_9" }] }, /not found/],
  [
    "an item twice",
    "openai",
    { input: Array.from({ length: 2 }, () => ({ type: "item_reference", id: "msg_1" })) },
    /twice/,
  ],
  [
    "a reference where nothing is stored",
    "openai",
    { store: false, input: [{ type: "item_reference", id: "msg_1" }] },
    /nothing is stored/,
  ],
  [
    "reasoning that is neither stored nor encrypted",
    "openai",
    { store: false, input: [{ type: "reasoning", id: "rs_1", summary: [] }, asks] },
    /without its encrypted content/,
  ],
  [
    "a message without the reasoning that led to it",
    "openai",
    { input: [asks, { type: "item_reference", id: "msg_1" }] },
    /without its required reasoning/,
  ],
  ["a call without its output", "openai", { input: [asks, { type: "function_call", call_id: "c" }] }, /0 outputs/],
  [
    "an output without its call",
    "openai",
    { input: [asks, { type: "function_call_output", call_id: "c" }] },
    /without its call/,
  ],
  ["a content without parts", "google", { contents: [turn, { role: "model", parts: [] }, turn] }, /no parts/],
  ["a call without a response", "google", { contents: [turn, call, turn] }, /0 responses/],
  [
    "a call after the model's own words",
    "google",
    { contents: [turn, { role: "model", parts: [{ text: "Hm." }] }, call] },
    /do not follow/,
  ],
])("the rules find %s", (_, provider, request, expected) => {
  assert.match(violations(provider, request, served).join("; "), expected);
});

test("the rules find nothing in sound requests", () => {
  const sound = assistant(
    { type: "thinking", thinking: "Hm.", signature: "s" },
    { type: "server_tool_use", id: "s" },
    { type: "web_search_tool_result", tool_use_id: "s", content: [] },
    { type: "text", text: "Hi." },
  );
  assert.deepEqual(violations("anthropic", sound, []), []);
  const input = [asks, { type: "item_reference", id: "rs_1" }, { type: "item_reference", id: "msg_1" }, asks];
  assert.deepEqual(violations("openai", { input }, served), []);
  const answer = { role: "user", parts: [{ functionResponse: { name: "find", response: {} } }] };
  assert.deepEqual(violations("google", { contents: [turn, call, answer] }, []), []);
});
