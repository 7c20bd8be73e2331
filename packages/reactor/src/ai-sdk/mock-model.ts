import { APICallError, type LanguageModel } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import type { FakeModel, ModelAnswer } from "../contract/scenario.ts";

type Stream = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>["stream"];
type LanguageModelV2 = Extract<LanguageModel, { specificationVersion: "v2" }>;
type StreamV2 = Awaited<ReturnType<LanguageModelV2["doStream"]>>["stream"];
/** A part of what a provider streams. */
export type Chunk = Stream extends ReadableStream<infer C> ? C : never;
type ChunkV2 = StreamV2 extends ReadableStream<infer C> ? C : never;
/** What the AI SDK hands to a provider. */
export type ModelCallOptions = Parameters<MockLanguageModelV3["doStream"]>[0];

/** A provider's stream; `hang` leaves it open for ever, deaf to aborts. */
export function streamOf<C>(chunks: readonly C[], hang = false): ReadableStream<C> {
  let next = 0;
  return new ReadableStream<C>({
    async pull(controller) {
      if (next < chunks.length) return controller.enqueue(chunks[next++]!);
      if (!hang) return controller.close();
      await new Promise(() => {});
    },
  });
}

/** A model of the AI SDK that answers with these chunks, and keeps what it was asked. */
export function modelOf(
  chunks: readonly Chunk[] | ((options: ModelCallOptions) => readonly Chunk[]),
  settings: { provider?: string; modelId?: string } = {},
): MockLanguageModelV3 {
  return new MockLanguageModelV3({
    ...settings,
    doStream: async (options) => ({ stream: streamOf(typeof chunks === "function" ? chunks(options) : chunks) }),
  });
}

/** The usage of the specification v3. */
export const usageV3 = (
  input: number | undefined,
  output: number | undefined,
): Extract<Chunk, { type: "finish" }>["usage"] => ({
  inputTokens: { total: input, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: output, text: undefined, reasoning: undefined },
});

/** A proper end. */
export const finishV3 = (
  unified: Extract<Chunk, { type: "finish" }>["finishReason"]["unified"] = "stop",
  input = 0,
  output = 0,
): Chunk => ({
  type: "finish",
  finishReason: { unified, raw: unified },
  usage: usageV3(input, output),
});

/** Text as providers stream it. */
export const textChunks = (id: string, ...pieces: string[]): Chunk[] => [
  { type: "text-start", id },
  ...pieces.map((delta): Chunk => ({ type: "text-delta", id, delta })),
  { type: "text-end", id },
];

/** A call as providers stream it. */
export const callChunk = (toolCallId: string, toolName: string, input: string): Chunk => ({
  type: "tool-call",
  toolCallId,
  toolName,
  input,
});

/** The fake model of the contract kit as a model of the AI SDK, of either specification. */
export function fakeModel(model: FakeModel, version: "v2" | "v3"): LanguageModel {
  const ask = ({ abortSignal: _, ...options }: { abortSignal?: AbortSignal | undefined }): ModelAnswer => {
    const answer = model(JSON.stringify(options));
    if (answer.then === "fail" && answer.text === undefined) throw apiError(503);
    return answer;
  };
  if (version === "v3") {
    return new MockLanguageModelV3({
      doStream: async (options) => {
        const answer = ask(options);
        const { inputTokens = 0, outputTokens = 0 } = answer.usage ?? {};
        const end: Chunk[] =
          answer.then === "hang"
            ? []
            : answer.then === "fail"
              ? [{ type: "error", error: new TypeError("terminated") }]
              : [finishV3(reasonOf(answer), inputTokens, outputTokens)];
        return { stream: streamOf([...contentOf(answer), ...end], answer.then === "hang") };
      },
    });
  }
  return {
    specificationVersion: "v2",
    provider: "mock-provider",
    modelId: "mock-model-v2",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("the reactor streams")),
    async doStream(options) {
      const answer = ask(options);
      const { inputTokens = 0, outputTokens = 0 } = answer.usage ?? {};
      const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
      const end: ChunkV2[] =
        answer.then === "hang"
          ? []
          : answer.then === "fail"
            ? [{ type: "error", error: new TypeError("terminated") }]
            : [{ type: "finish", finishReason: reasonOf(answer), usage }];
      // The two specifications agree on content; only the ends differ.
      const content = contentOf(answer) as unknown as ChunkV2[];
      return { stream: streamOf([...content, ...end], answer.then === "hang") };
    },
  };
}

/** An error as providers throw it, with all that must not get out. */
export function apiError(statusCode: number, headers: Record<string, string> = {}): APICallError {
  return new APICallError({
    message: `Call to https://user:hunter2@api.example.org/v1/chat?key=AIzaSyD-secret-secret refused`,
    url: "https://api.example.org/v1/chat?key=AIzaSyD-secret-secret",
    requestBodyValues: { messages: ["private words"], apiKey: "sk-live-secretsecret" },
    responseHeaders: { "set-cookie": "session=secret-cookie", ...headers },
    responseBody: "private answer",
    statusCode,
  });
}

function reasonOf({ then, actions }: ModelAnswer): "length" | "tool-calls" | "stop" {
  return then === "length" ? "length" : actions === undefined ? "stop" : "tool-calls";
}

function contentOf({ reasoning, text, actions = [] }: ModelAnswer): Chunk[] {
  return [
    ...(reasoning === undefined
      ? []
      : [
          { type: "reasoning-start", id: "0" } as const,
          ...reasoning.map((delta) => ({ type: "reasoning-delta", id: "0", delta }) as const),
          { type: "reasoning-end", id: "0" } as const,
        ]),
    ...(text === undefined ? [] : textChunks("0", ...text)),
    ...actions.map(({ callId, name, input }) => callChunk(callId, name, input)),
  ];
}
