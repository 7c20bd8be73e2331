import { systemClock, type JsonValue } from "@hebra/core";
import { tool, type ToolSet } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import * as z from "zod";
import { defineAction, withState } from "../definition/define-action.ts";
import { defineThread, type ThreadOptions } from "../definition/define-thread.ts";
import { createEngine } from "../engine/engine.ts";
import { memoryStore } from "../store/memory.ts";

type CallOptions = Parameters<MockLanguageModelV3["doStream"]>[0];
type Chunk = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>["stream"] extends ReadableStream<infer C> ? C : never;
type Reason = Extract<Chunk, { type: "finish" }>["finishReason"]["unified"];

/** Time that stands still, so that two recordings are the same. */
const clock = { ...systemClock, now: () => 1_767_225_600_000 };

const text = (...pieces: string[]): Chunk[] => [
  { type: "text-start", id: "t" },
  ...pieces.map((delta): Chunk => ({ type: "text-delta", id: "t", delta })),
  { type: "text-end", id: "t" },
];
const reasoning = (delta: string): Chunk[] => [
  { type: "reasoning-start", id: "r" },
  { type: "reasoning-delta", id: "r", delta },
  { type: "reasoning-end", id: "r", providerMetadata: { acme: { signature: "s1" } } },
];
const call = (toolCallId: string, toolName: string, input: JsonValue | string): Chunk => ({
  type: "tool-call",
  toolCallId,
  toolName,
  input: typeof input === "string" ? input : JSON.stringify(input),
});
const finish = (unified: Reason = "stop"): Chunk => ({
  type: "finish",
  finishReason: { unified, raw: unified },
  usage: {
    inputTokens: { total: 12, noCache: 8, cacheRead: 4, cacheWrite: undefined },
    outputTokens: { total: 5, text: 5, reasoning: undefined },
  },
});

/** One conversation: what the model answers, and the triggers it gets. */
interface Conversation {
  name: string;
  answers: Chunk[][];
  triggers: string[];
  options?: Partial<ThreadOptions>;
  /** What a person says of the calls that wait. */
  decide?: "approve" | "deny";
}

const actions = {
  find_order: defineAction({
    description: "Finds an order.",
    input: z.object({ number: z.string() }),
    effect: "read",
    execute: ({ number }) => withState({ number, status: "shipped" }, { last: number }),
  }),
  cancel_order: defineAction({
    description: "Cancels an order.",
    input: z.object({ number: z.string() }),
    approval: { reason: "It cannot be undone." },
    execute: ({ number }) => ({ cancelled: number }),
  }),
  break_down: defineAction({
    description: "Fails.",
    input: z.object({}),
    execute: () => {
      throw new Error("The warehouse is closed.");
    },
  }),
  weather: tool({
    description: "Tells the weather.",
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => `Sun in ${city}.`,
  }) as ToolSet[string],
};

/** Everything that a definition without a reactor may meet. */
export const conversations: readonly Conversation[] = [
  {
    name: "an answer, and another that knows it",
    triggers: ["Hello.", "And you?"],
    answers: [
      [...text("Hi", " there."), finish()],
      [...text("Fine."), finish()],
    ],
  },
  {
    name: "calls beside each other, one of which fails, with reasoning and a source",
    triggers: ["Where is A-1?"],
    answers: [
      [
        ...reasoning("I look it up."),
        ...text("One moment."),
        call("c1", "find_order", { number: "A-1" }),
        call("c2", "break_down", {}),
        call("c3", "weather", { city: "Rosario" }),
        finish("tool-calls"),
      ],
      [
        { type: "source", sourceType: "url", id: "s", url: "https://shop.example/A-1", title: "Order A-1" },
        ...text("It is on its way."),
        finish(),
      ],
    ],
  },
  {
    name: "calls that cannot be run",
    triggers: ["Do it."],
    answers: [
      [
        call("c1", "no_such_action", {}),
        call("c2", "find_order", { number: 7 }),
        call("c3", "find_order", '{"number":'),
        finish("tool-calls"),
      ],
      [...text("I cannot."), finish()],
    ],
  },
  {
    name: "a call that a person allows",
    decide: "approve",
    triggers: ["Cancel A-1."],
    answers: [
      [call("c1", "cancel_order", { number: "A-1" }), finish("tool-calls")],
      [...text("Cancelled."), finish()],
    ],
  },
  {
    name: "a call that a person denies",
    decide: "deny",
    triggers: ["Cancel A-1."],
    answers: [
      [call("c1", "cancel_order", { number: "A-1" }), finish("tool-calls")],
      [...text("As you wish."), finish()],
    ],
  },
  {
    name: "an output that is asked for again",
    triggers: ["How many?"],
    options: { policy: { output: z.object({ count: z.number() }) } },
    answers: [
      [...text("Three."), finish()],
      [...text('{"count":3}'), finish()],
    ],
  },
  {
    name: "an action that must come",
    triggers: ["Look."],
    options: { policy: { requiredAction: "find_order" } },
    answers: [
      [...text("Sure."), finish()],
      [call("c1", "find_order", { number: "A-2" }), finish("tool-calls")],
    ],
  },
  {
    name: "an answer that was cut off",
    triggers: ["Tell me all."],
    answers: [[...text("Once upon"), finish("length")]],
  },
  {
    name: "a turn that goes too far",
    triggers: ["Again."],
    options: { policy: { maxIterations: 2 } },
    answers: [
      [call("c1", "find_order", { number: "1" }), finish("tool-calls")],
      [call("c2", "find_order", { number: "2" }), finish("tool-calls")],
    ],
  },
  {
    name: "a model that fails, however often it is asked",
    triggers: ["Hello."],
    answers: Array.from({ length: 3 }, () => [{ type: "error", error: new Error("overloaded") }]),
  },
];

/** Plays one conversation with the engine's defaults: no reactor, no policy but what it names. @returns plain JSON */
export async function record({ name, answers, triggers, options, decide }: Conversation): Promise<JsonValue> {
  const asked: CallOptions[] = [];
  const model = new MockLanguageModelV3({
    doStream: async (given) => {
      asked.push(given);
      const chunks = answers[asked.length - 1];
      if (chunks === undefined) throw new Error(`${name}: the model was asked once too often.`);
      return { stream: streamOf(chunks) };
    },
  });
  const definition = defineThread({ name: "golden", instructions: "You are the desk.", actions, model, ...options });
  const store = memoryStore();
  const engine = createEngine({ store, threads: [definition], clock, random: () => 0 });
  const address = { key: "customer-7" };
  const results = [];
  for (const [i, said] of triggers.entries()) {
    const turn = await engine.react(definition, { id: `m${i + 1}`, text: said }, { address });
    const { approvals } = await turn.result;
    for (const { id } of approvals)
      if (decide !== undefined) await engine[decide](id, { by: "ana", comment: "says Ana" });
    await engine.idle();
    results.push(await (await engine.follow(turn.executionId)).result);
  }
  const context = await engine.context(address);
  const journal = await store.journal("default", context.id, 0);
  await engine.close();
  const told = asked.map(({ abortSignal: _signal, headers: _headers, ...rest }) => rest);
  return plain({ name, results, asked: told, state: context.state, events: journal });
}

function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}

function streamOf(chunks: readonly Chunk[]): ReadableStream<Chunk> {
  let next = 0;
  return new ReadableStream<Chunk>({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]!);
      else controller.close();
    },
  });
}
