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
  plainAnswerAgain,
  providers,
  serve,
  unstored,
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
export const served = ({ provider, events, more = [] }: Recording): Served[] =>
  [events, ...more, plainAnswer[provider]].map((each) => ({ events: each }));

/** The AI SDK's own loop. */
export async function playStreamText(recording: Recording, names: readonly string[]): Promise<Played> {
  const { fetch, asked } = serve(served(recording));
  const run = streamText({
    model: modelOf(recording.provider, fetch),
    prompt: question,
    maxRetries: 0,
    stopWhen: stepCountIs(20),
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

function deskOf(
  selectModel: () => LanguageModel,
  names: readonly string[],
  { approval = false, store = true }: { approval?: boolean; store?: boolean } = {},
) {
  const desk = defineThread({
    name: "desk",
    // The AI SDK's loop has no limit for equal calls.
    policy: { maxIterations: 20, maxRepeatedCalls: 1_000 },
    reactor: aiSdkReactor({ selectModel, ...(store ? {} : { providerOptions: { openai: { store } } }) }),
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

/** How an answer does not come to its end; with `denial`, a person denies the calls that it has made until then. */
export type Interruption = "stop" | "cut" | "limit" | "error" | "denial";

/** A question to a provider, and what it had said until then. */
export type Asked = readonly [provider: ProviderName, request: Record<string, unknown>, served: readonly string[]];

/** Where an answer is interrupted, and how. */
export interface InterruptedAt {
  recording: Recording;
  names: readonly string[];
  /** How many events of it come. */
  after: number;
  how: Interruption;
  /** Whether OpenAI stores its answers. @defaultValue true */
  store?: boolean;
}

/**
 * Plays an answer up to one of its events and interrupts it there. Then a message goes to the same provider, one to
 * each of
 * the others, and one to the first again.
 *
 * @returns the questions
 */
export async function playInterrupted({ recording, names, after, how, store = true }: InterruptedAt): Promise<Asked[]> {
  const { provider } = recording;
  const said = (store ? recording.events : unstored(recording.events)).slice(0, after);
  const events =
    how === "limit" || (how === "denial" && after < recording.events.length) ? limited(provider, said) : said;
  let reached = (): void => {};
  const stopped = new Promise<void>((resolve) => (reached = resolve));
  const own = serve([
    // The engine asks three times.
    ...Array.from({ length: how === "cut" || how === "error" ? 3 : 1 }, () =>
      interrupted(provider, events, how, reached),
    ),
    // A denied call, and a pause, are followed by another answer of the same turn.
    { events: plainAnswer[provider] },
    { events: plainAnswerAgain(provider) },
    { events: plainAnswerAgain(provider) },
  ]);
  const others = providers.filter((other) => other !== provider);
  const foreign = others.map((other) => serve([{ events: plainAnswer[other] }]));
  let model = modelOf(provider, own.fetch);
  const { engine, say } = deskOf(() => model, names, { approval: how === "denial", store });
  const turn = await say("m1", question);
  if (how === "stop") {
    await stopped;
    await engine.cancel(turn.executionId);
  }
  for (const { id } of (await turn.result).approvals) await engine.deny(id);
  await engine.idle();
  const ask = async (id: string, next: typeof model): Promise<void> => {
    model = next;
    await (
      await say(id, "And now?")
    ).result;
  };
  await ask("m2", modelOf(provider, own.fetch));
  const own2 = own.asked.at(-1)!;
  for (const [i, other] of others.entries()) await ask(`m3-${other}`, modelOf(other, foreign[i]!.fetch));
  await ask("m4", modelOf(provider, own.fetch));
  await engine.close();
  const known = [...events, ...plainAnswer[provider], ...plainAnswerAgain(provider)];
  return [
    [provider, own2, known],
    ...others.map((other, i): Asked => [other, foreign[i]!.asked.at(-1)!, plainAnswer[other]]),
    [provider, own.asked.at(-1)!, known],
  ];
}

function interrupted(provider: ProviderName, events: readonly string[], how: Interruption, read: () => void): Served {
  switch (how) {
    case "stop":
      return { events, ending: "hang", read };
    case "cut":
      return { events, ending: "break" };
    case "error":
      return { events: [...events, ...errorEvents[provider]], ending: "break" };
    case "limit":
    case "denial":
      return { events };
  }
}

const limited = (provider: ProviderName, events: readonly string[]): string[] => [
  ...events,
  ...limitEvents(provider, events),
];
