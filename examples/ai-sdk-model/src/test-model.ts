import { MockLanguageModelV3, simulateReadableStream } from "ai/test";

type Answer = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>;
type Chunk = Answer["stream"] extends ReadableStream<infer C> ? C : never;

const finish = (unified: "stop" | "tool-calls"): Chunk => ({
  type: "finish",
  finishReason: { unified, raw: unified },
  usage: {
    inputTokens: { total: 12, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 6, text: undefined, reasoning: undefined },
  },
});

/** The AI SDK's own test model: it looks an order up, then answers with what it found. */
export function testModel(): MockLanguageModelV3 {
  return new MockLanguageModelV3({
    doStream: async ({ prompt }) => {
      const found = prompt.at(-1)?.role === "tool";
      const chunks: Chunk[] = found
        ? [
            { type: "text-start", id: "answer" },
            { type: "text-delta", id: "answer", delta: "Order A-7 is shipped." },
            { type: "text-end", id: "answer" },
            finish("stop"),
          ]
        : [
            { type: "tool-call", toolCallId: "call-1", toolName: "find_order", input: '{"number":"A-7"}' },
            finish("tool-calls"),
          ];
      return { stream: simulateReadableStream({ chunks }) };
    },
  });
}
