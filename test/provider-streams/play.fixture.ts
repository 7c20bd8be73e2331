import { createEngine, defineAction, defineThread, type TurnResult } from "@hebra/thread";
import { aiSdkReactor } from "@hebra/thread/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import { jsonSchema, stepCountIs, streamText, tool, type LanguageModel } from "ai";
import * as z from "zod";
import {
  errorEvents,
  limitEvents,
  modelOf,
  plainAnswer,
  serve,
  type ProviderName,
  type Recording,
  type Served,
} from "./providers.fixture.ts";

/** What came of an answer: its words, its calls, and how often the model was asked. */
export interface Played {
  text: string;
  calls: string[];
  asked: number;
}

const question = "Hello.";

/** The names that the model calls and does not run itself: the host's. */
export async function hostTools({ provider, events }: Recording): Promise<string[]> {
  const model = modelOf(provider, serve([{ events }]).fetch);
  const { stream } = await model.doStream({
    prompt: [{ role: "user", content: [{ type: "text", text: question }] }],
  });
  const names = new Set<string>();
  for await (const part of stream as unknown as AsyncIterable<Record<string, unknown>>)
    if (part["type"] === "tool-call" && part["providerExecuted"] !== true) names.add(String(part["toolName"]));
  return [...names];
}

/** The recorded answer, then one of words alone. */
export const served = ({ provider, events }: Recording): Served[] => [{ events }, { events: plainAnswer[provider] }];

/** The AI SDK's own loop. */
export async function playStreamText(recording: Recording, names: readonly string[]): Promise<Played> {
  const { fetch, asked } = serve(served(recording));
  const run = streamText({
    model: modelOf(recording.provider, fetch),
    prompt: question,
    maxRetries: 0,
    stopWhen: stepCountIs(3),
    onError: () => {},
    tools: Object.fromEntries(
      names.map((name) => [
        name,
        tool({ inputSchema: jsonSchema<unknown>({ type: "object" }), execute: () => Promise.resolve("done") }),
      ]),
    ),
  });
  const steps = await run.steps;
  return {
    text: steps[0]!.text,
    calls: steps[0]!.toolCalls.map(({ toolName }) => toolName),
    asked: asked.length,
  };
}

/** The definition and the engine over a provider's real package. */
export function createDesk(provider: ProviderName, fetch: typeof globalThis.fetch, names: readonly string[]) {
  const model = modelOf(provider, fetch);
  return deskOf(() => model, names);
}

function deskOf(selectModel: () => LanguageModel, names: readonly string[], approval = false) {
  const desk = defineThread({
    name: "desk",
    // The AI SDK's loop has no limit for equal calls.
    policy: { maxIterations: 3, maxRepeatedCalls: 1_000 },
    reactor: aiSdkReactor({ selectModel }),
    actions: Object.fromEntries(
      names.map((name) => [
        name,
        defineAction({
          description: "Does it.",
          input: z.looseObject({}),
          effect: "read",
          approval,
          execute: () => "done",
        }),
      ]),
    ),
  });
  const engine = createEngine({ store: memoryStore(), threads: [desk], recoverEveryMs: false, random: () => 0 });
  const say = (id: string, text: string) => engine.react(desk, { id, text }, { address: { key: "c" } });
  return { engine, say };
}

/** The reactor and the engine. */
export async function playEngine(
  recording: Recording,
  names: readonly string[],
): Promise<Played & { result: TurnResult; next: Record<string, unknown> }> {
  const { fetch, asked } = serve(served(recording));
  const { engine, say } = createDesk(recording.provider, fetch, names);
  const result = await (await say("m1", question)).result;
  const count = asked.length;
  // Until somebody decides, the next message waits behind the turn.
  for (const { id } of result.approvals) await engine.deny(id, { comment: "not now" });
  await (
    await say("m2", "And now?")
  ).result;
  await engine.close();
  const first = result.parts.filter(({ step }) => (step ?? 0) === 0);
  return {
    text: first.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join(""),
    calls: first.flatMap((part) => (part.kind === "action" ? [part.name] : [])),
    asked: count,
    result,
    next: asked.at(-1)!,
  };
}

/** How an answer does not come to its end: or does, and a person denies its calls. */
export type Interruption = "stop" | "cut" | "limit" | "error" | "denial";

/** A question to a provider, and what it had said until then. */
export type Asked = readonly [provider: ProviderName, request: Record<string, unknown>, served: readonly string[]];

/**
 * Plays an answer up to one of its events and interrupts it there; then the next message goes to the same provider, and
 * the one after it to another.
 *
 * @returns both questions
 */
export async function playInterrupted(options: {
  recording: Recording;
  names: readonly string[];
  after: number;
  how: Interruption;
}): Promise<Asked[]> {
  const { recording, names, after, how } = options;
  const { provider } = recording;
  const events = recording.events.slice(0, after);
  let reached = (): void => {};
  const stopped = new Promise<void>((resolve) => (reached = resolve));
  const own = serve([
    // The engine asks three times.
    ...Array.from({ length: how === "cut" || how === "error" ? 3 : 1 }, () =>
      interrupted(provider, events, how, reached),
    ),
    { events: plainAnswer[provider] },
  ]);
  const other = provider === "anthropic" ? "openai" : "anthropic";
  const foreign = serve([{ events: plainAnswer[other] }]);
  let model = modelOf(provider, own.fetch);
  const { engine, say } = deskOf(() => model, names, how === "denial");
  const turn = await say("m1", question);
  if (how === "stop") {
    await stopped;
    await engine.cancel(turn.executionId);
  }
  for (const { id } of (await turn.result).approvals) await engine.deny(id);
  await engine.idle();
  await (
    await say("m2", "And now?")
  ).result;
  model = modelOf(other, foreign.fetch);
  await (
    await say("m3", "And you?")
  ).result;
  await engine.close();
  return [
    [
      provider,
      own.asked.at(-1)!,
      [...(how === "limit" ? limited(provider, events) : events), ...plainAnswer[provider]],
    ],
    [other, foreign.asked.at(-1)!, plainAnswer[other]],
  ];
}

function interrupted(provider: ProviderName, events: readonly string[], how: Interruption, read: () => void): Served {
  switch (how) {
    case "stop":
      return { events, ending: "hang", read };
    case "cut":
      return { events, ending: "break" };
    case "limit":
      return { events: limited(provider, events) };
    case "error":
      return { events: [...events, ...errorEvents[provider]], ending: "break" };
    case "denial":
      return { events };
  }
}

const limited = (provider: ProviderName, events: readonly string[]): string[] => [
  ...events,
  ...limitEvents(provider, events),
];
