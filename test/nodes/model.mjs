// A turn over a model of the AI SDK 7 (specification v4): an action with a picture in the question, then an answer with
// a citation; asked by the model's own interface, and through the AI SDK's streamText. It runs in a project that has
// the packed packages and ai 7:
//   node model.mjs
import { createEngine, defineAction, defineThread } from "@hebra/thread";
import { aiSdkReactor } from "@hebra/thread/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";

const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 2, text: 2, reasoning: 0 },
};
const finish = (/** @type {string} */ unified) => ({ type: "finish", finishReason: { unified, raw: unified }, usage });
const page = { type: "source", sourceType: "url", id: "s", url: "https://example.org/a-7" };

/** Any Standard Schema will do; a validator is no dependency of this project. */
const order = {
  "~standard": {
    version: /** @type {const} */ (1),
    vendor: "none",
    validate: (/** @type {unknown} */ value) => ({ value: /** @type {{ number: string }} */ (value) }),
    jsonSchema: { input: () => ({ type: "object" }), output: () => ({ type: "object" }) },
  },
};

/** @param {number} maxRetries - more than 0 sends the question through streamText */
async function play(maxRetries) {
  /** @type {unknown[]} */
  const files = [];
  const model = new MockLanguageModelV4({
    doStream: async ({ prompt }) => {
      for (const { content } of prompt)
        if (typeof content !== "string")
          for (const part of content)
            if (part.type === "file") files.push([part.data.type, Buffer.from(part.data.data).toString("utf8")]);
      const called = prompt.some(({ role }) => role === "tool");
      const chunks = called
        ? [
            { type: "text-start", id: "t" },
            { type: "text-delta", id: "t", delta: "It has shipped." },
            { type: "text-end", id: "t", citations: [{ source: page }] },
            finish("stop"),
          ]
        : [
            { type: "tool-call", toolCallId: "c-1", toolName: "find_order", input: '{"number":"A-7"}' },
            finish("tool-calls"),
          ];
      return { stream: simulateReadableStream({ chunks: [{ type: "stream-start", warnings: [] }, ...chunks] }) };
    },
  });
  const desk = defineThread({
    name: "desk",
    actions: {
      find_order: defineAction({
        description: "Finds an order by its number.",
        input: order,
        effect: "read",
        execute: ({ number }) => ({ number, status: "shipped" }),
      }),
    },
    reactor: aiSdkReactor({ model, maxRetries }),
  });
  const engine = createEngine({ store: memoryStore(), threads: [desk] });
  const parts = [
    { kind: "text", text: "Where is this?" },
    { kind: "file", mediaType: "image/png", url: `data:image/png;base64,${Buffer.from("png").toString("base64")}` },
  ];
  const turn = await engine.react(desk, { id: "m1", parts }, { address: { key: "customer-42" } });
  const { status, text, parts: answer, error } = await turn.result;
  await engine.close();
  return { status, text, kinds: answer.map(({ kind }) => kind), files, asked: model.doStreamCalls.length, error };
}

process.stdout.write(JSON.stringify({ node: process.versions.node, turns: [await play(0), await play(1)] }));
