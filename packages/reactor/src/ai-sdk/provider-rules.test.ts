import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TranscriptMessage, TranscriptPart } from "../transcript.ts";
import { toPrompt } from "./messages.ts";
import { fitToProvider } from "./provider-rules.ts";
import { transcripts } from "./transcripts.fixture.ts";

const user = (...parts: TranscriptPart[]): TranscriptMessage => ({ id: "u", role: "user", parts });
const assistant = (...parts: TranscriptPart[]): TranscriptMessage => ({ id: "a", role: "assistant", parts });
const hello = user({ kind: "text", text: "Hello." });
const more = user({ kind: "text", text: "Go on." });

const itemId = (id: string) => ({ openai: { itemId: id } });
const thought = (providerMetadata?: TranscriptPart["providerMetadata"]): TranscriptPart => ({
  kind: "reasoning",
  text: "Hm.",
  ...(providerMetadata === undefined ? {} : { providerMetadata }),
});

/** The types of the parts of each assistant message of the prompt for the turn after `answer`. */
async function shown(provider: string, ...answer: TranscriptPart[]): Promise<string[][]> {
  const prompt = await toPrompt([hello, assistant(...answer), more], { provider });
  return prompt.flatMap((message) =>
    message.role === "assistant" ? [message.content.map(({ type }) => type as string)] : [],
  );
}

describe("OpenAI Responses", () => {
  const provider = "openai.responses";
  it("gets reasoning only together with the item that it led to [RE-1]", async () => {
    const said: TranscriptPart = { kind: "text", text: "Hi.", providerMetadata: itemId("msg_1") };
    const cut: TranscriptPart = { kind: "text", text: "H" };
    const call: TranscriptPart = {
      kind: "action",
      callId: "c",
      name: "find",
      input: {},
      status: "failed",
      error: "denied",
      providerMetadata: itemId("fc_1"),
    };
    assert.deepEqual(await shown(provider, thought(itemId("rs_1")), said), [["reasoning", "text"]]);
    assert.deepEqual(await shown(provider, thought(itemId("rs_1")), call), [["reasoning", "tool-call"]]);
    // Stopped after the reasoning, in the text, and a stream that broke off: the item that follows was never stored.
    assert.deepEqual(await shown(provider, thought(itemId("rs_1"))), []);
    assert.deepEqual(await shown(provider, thought(itemId("rs_1")), cut), [["text"]]);
    assert.deepEqual(await shown(provider, thought(itemId("rs_1")), said, thought(itemId("rs_2"))), [
      ["reasoning", "text"],
    ]);
    // Reasoning of another provider means nothing to it.
    assert.deepEqual(await shown(provider, thought({ anthropic: { signature: "s" } }), said), [["text"]]);
  });
  it("keeps several summaries of one reasoning item, and none of an item without a follower [RE-1]", async () => {
    const said: TranscriptPart = { kind: "text", text: "Hi.", providerMetadata: itemId("msg_1") };
    const summaries = [thought(itemId("rs_1")), thought(itemId("rs_1"))];
    assert.deepEqual(await shown(provider, ...summaries, said), [["reasoning", "reasoning", "text"]]);
    assert.deepEqual(await shown(provider, ...summaries), []);
  });
});

describe("Anthropic", () => {
  const provider = "anthropic.messages";
  it("never gets an empty message, also when thinking was cut off before its signature [RE-2]", async () => {
    assert.deepEqual(await shown(provider, thought()), []);
    assert.deepEqual(await shown(provider, thought(), { kind: "text", text: "Hi." }), [["text"]]);
    assert.deepEqual(await shown(provider, thought({ anthropic: { signature: "s" } }), { kind: "text", text: "Hi." }), [
      ["reasoning", "text"],
    ]);
    assert.deepEqual(
      await shown(provider, thought({ anthropic: { redactedData: "d" } }), { kind: "text", text: "Hi." }),
      [["reasoning", "text"]],
    );
    assert.deepEqual(await shown(provider, thought(itemId("rs_1"))), []);
  });
  it("gets no call that it ran itself without the result that it sent [RE-4]", async () => {
    const search = (
      settled: Pick<TranscriptPart & { kind: "action" }, "status" | "output" | "error">,
    ): TranscriptPart => ({
      kind: "action",
      callId: "srv_1",
      name: "web_search",
      input: { query: "hebra" },
      ownedByReactor: true,
      providerMetadata: { hebra: { provider } },
      ...settled,
    });
    const cut = search({ status: "failed", error: "The provider gave no result for this call." });
    assert.deepEqual(await shown(provider, { kind: "text", text: "Searching." }, cut), [["text"]]);
    assert.deepEqual(await shown(provider, cut), []);
    assert.deepEqual(await shown(provider, search({ status: "succeeded", output: [] })), [
      ["tool-call", "tool-result"],
    ]);
  });
  it("gets no text of white space alone, and words for a failure that has none [RE-5]", async () => {
    const blank: TranscriptPart = { kind: "text", text: "\n" };
    assert.deepEqual(await shown(provider, blank), []);
    const failed: TranscriptPart = {
      kind: "action",
      callId: "c",
      name: "find",
      input: {},
      status: "failed",
      error: "",
    };
    const prompt = await toPrompt([user(blank), hello, assistant(blank, failed), more], { provider });
    assert.deepEqual(
      prompt.map(({ role }) => role),
      ["user", "assistant", "tool", "user"],
    );
    expect(prompt[2]).toMatchObject({ content: [{ output: { type: "error-text", value: "The action failed." } }] });
  });
});

it("an empty text is sent only to the provider that keeps something in it [RE-5]", async () => {
  const item: TranscriptPart = { kind: "text", text: "", providerMetadata: itemId("msg_1") };
  const signed: TranscriptPart = { kind: "text", text: "", providerMetadata: { google: { thoughtSignature: "s" } } };
  const said: TranscriptPart = { kind: "text", text: "Hi." };
  assert.deepEqual(await shown("openai.responses", said, item, signed), [["text", "text"]]);
  assert.deepEqual(await shown("google.generative-ai", said, item, signed), [["text", "text"]]);
  assert.deepEqual(await shown("anthropic.messages", said, item, signed), [["text"]]);
});

it("OpenAI Responses is shown a call that it ran only under an id that it knows, and once [RE-4]", async () => {
  const ran = (callId: string, providerMetadata = {}): TranscriptPart => ({
    kind: "action",
    callId,
    name: "search",
    input: {},
    status: "succeeded",
    output: {},
    ownedByReactor: true,
    providerMetadata: { hebra: { provider: "openai.responses" }, ...providerMetadata },
  });
  const provider = "openai.responses";
  assert.deepEqual(await shown(provider, ran("ws_0a1b")), [["tool-call", "tool-result"]]);
  assert.deepEqual(await shown(provider, ran("kJ3hdk29dkP0aLs8")), []);
  assert.deepEqual(await shown(provider, ran("tsc_0a1b", itemId("tsc_0a1b"))), []);
});

it("every prompt has no empty message, no blank text and no answer of reasoning alone, for every provider", async () => {
  const providers = ["openai.responses", "openai.chat", "anthropic.messages", "google.generative-ai", undefined];
  await fc.assert(
    fc.asyncProperty(transcripts, fc.constantFrom(...providers), async (transcript, provider) => {
      for (const message of await toPrompt(transcript, { provider })) {
        if (message.role === "system") continue;
        assert.ok(message.content.length > 0);
        for (const part of message.content)
          if (part.type === "text" && part.providerOptions === undefined) assert.notEqual(part.text.trim(), "");
        if (message.role === "assistant") assert.ok(message.content.some(({ type }) => type !== "reasoning"));
      }
    }),
    { seed: 11, numRuns: 300 },
  );
});

it("a prompt that fits is left as it is", () => {
  const prompt = [
    { role: "user" as const, content: [{ type: "text" as const, text: "Hello." }] },
    { role: "assistant" as const, content: [{ type: "text" as const, text: "Hi." }] },
  ];
  assert.deepEqual(fitToProvider(prompt, "anthropic.messages"), prompt);
});
