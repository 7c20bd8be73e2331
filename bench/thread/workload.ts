import { simulateReadableStream, tool } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import * as z from "zod";

/**
 * The same turn for every subject: the model asks for one action, k times, and then says something. How often is
 * written in
 * the trigger, and the model counts the results that it is shown: it is the same function for all.
 */
export const triggerText = (pairs: number): string => `pairs=${pairs} ${"Please look into it. ".repeat(4)}`;

/** What the model says at the end of a turn. */
export const FINAL = "That is all there is to say about it, and it took a few steps to find out.";

/** The action's name. */
export const ACTION = "look";

/** What an action returns: 100 bytes as JSON. */
export const RESULT = { found: "x".repeat(88) };

/** The last so many turns are shown to the model: what 40 items of ours are. */
export const WINDOW_TURNS = 20;

export const pairsOf = (text: string): number => Number(/^pairs=(\d+)/.exec(text)?.[1] ?? 0);

/** The model's next move after so many results. */
export function nextMove(pairs: number, results: number): { call: number } | { text: string } {
  return results < pairs ? { call: results } : { text: FINAL };
}

/** The messages of the last turns, from a trigger on. @param isTrigger - whether a message is a user's */
export function windowOf<M>(
  messages: readonly M[],
  isTrigger: (message: M) => boolean,
  turns = WINDOW_TURNS,
): readonly M[] {
  let seen = 0;
  for (let i = messages.length - 1; i >= 0; i--) {
    // The turn that runs counts too.
    if (isTrigger(messages[i]!) && ++seen > turns) return messages.slice(i);
  }
  return messages;
}

type Options = Parameters<MockLanguageModelV3["doStream"]>[0];
type Chunk = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>["stream"] extends ReadableStream<infer C> ? C : never;

const usage: Extract<Chunk, { type: "finish" }>["usage"] = {
  inputTokens: { total: 100, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 20, text: undefined, reasoning: undefined },
};

function chunksFor(prompt: Options["prompt"]): Chunk[] {
  let results = 0;
  let i = prompt.length - 1;
  for (; i >= 0 && prompt[i]!.role !== "user"; i--) if (prompt[i]!.role === "tool") results++;
  const content = prompt[i]?.content;
  const text = Array.isArray(content) && content[0]?.type === "text" ? content[0].text : "";
  const move = nextMove(pairsOf(text), results);
  const body: Chunk[] =
    "text" in move
      ? [
          { type: "text-start", id: "0" },
          { type: "text-delta", id: "0", delta: move.text },
          { type: "text-end", id: "0" },
        ]
      : [
          {
            type: "tool-call",
            toolCallId: `call-${move.call}-${calls++}`,
            toolName: ACTION,
            input: JSON.stringify({ n: move.call }),
          },
        ];
  const reason = "text" in move ? ("stop" as const) : ("tool-calls" as const);
  return [
    { type: "stream-start", warnings: [] },
    ...body,
    { type: "finish", finishReason: { unified: reason, raw: reason }, usage },
  ];
}

let calls = 0;

/** The model for the AI SDK. */
export function mockModel(): MockLanguageModelV3 {
  const model = new MockLanguageModelV3({
    doStream: async ({ prompt }) => {
      // It would keep every prompt.
      model.doStreamCalls.length = 0;
      return {
        stream: simulateReadableStream({ chunks: chunksFor(prompt), initialDelayInMs: null, chunkDelayInMs: null }),
      };
    },
  });
  return model;
}

/** The action for the AI SDK. */
export const lookTool = tool({
  description: "Looks something up.",
  inputSchema: z.object({ n: z.number() }),
  execute: async () => RESULT,
});
