import assert from "node:assert/strict";
import type { JsonValue } from "@hebra/core";
import { checkEvents } from "../check-events.ts";
import type { ReactorEvent } from "../events.ts";
import type { Reactor, ReactorInput } from "../reactor.ts";

/** A call in a {@link ModelAnswer}. */
export interface ModelCall {
  callId: string;
  name: string;
  /** What the model gives as input, as text: JSON, or broken JSON where a clause is about that. */
  input: string;
}

/** What the fake model behind the reactor answers, in this order. */
export interface ModelAnswer {
  /** Pieces, as a model streams them. */
  reasoning?: readonly string[];
  /** Pieces, as a model streams them. */
  text?: readonly string[];
  actions?: readonly ModelCall[];
  /** What the reactor is to remember, for reactors that have a memory of their own. */
  session?: JsonValue;
  /**
   * What happens then: an end because of the length, a failure, or nothing at all until the signal aborts.
   * @defaultValue a proper end
   */
  then?: "length" | "fail" | "hang";
  /** What a proper end reports. @defaultValue 0 and 0 */
  usage?: { inputTokens: number; outputTokens: number };
}

/** Plays the model: gets all that the reactor gives to the model, as JSON text, once a model call. */
export type FakeModel = (prompt: string) => ModelAnswer;

/** What a reactor brings to {@link reactorContract}. */
export interface ReactorContractOptions {
  /** A reactor whose model is the given one. */
  create(model: FakeModel): Reactor | Promise<Reactor>;
  /** How long a clause waits for what must happen soon, in milliseconds of real time. @defaultValue 5000 */
  patienceMs?: number;
}

/** One clause of the contract. */
export type Clause = (options: ReactorContractOptions) => Promise<void>;

/** Plays one step and checks the order of its events. */
export async function play(
  options: ReactorContractOptions,
  answer: ModelAnswer,
  input: ReactorInput,
): Promise<ReactorEvent[]> {
  return collect((await options.create(() => answer)).react(input));
}

/** All events of an answer, checked. */
export async function collect(answer: AsyncIterable<ReactorEvent>): Promise<ReactorEvent[]> {
  const events: ReactorEvent[] = [];
  for await (const event of checkEvents(answer)) events.push(event);
  return events;
}

/** Plays one step with a model that says "Done.", and returns what the model was given. */
export async function promptOf(options: ReactorContractOptions, input: ReactorInput): Promise<string> {
  const prompts: string[] = [];
  const reactor = await options.create((prompt) => {
    prompts.push(prompt);
    return { text: ["Done."] };
  });
  await collect(reactor.react(input));
  assert.equal(prompts.length, 1, "one step must be one call of the model");
  return prompts[0]!;
}

/** The text of all parts of a kind. */
export function textOf(events: readonly ReactorEvent[], kind: "text" | "reasoning"): string {
  const ids = new Set(
    events.flatMap((event) => (event.type === "part-start" && event.kind === kind ? event.partId : [])),
  );
  return events.flatMap((event) => (event.type === "part-delta" && ids.has(event.partId) ? event.delta : [])).join("");
}

/** Fails when each of the texts does not come in the prompt, after the one before it. */
export function assertInOrder(prompt: string, texts: readonly string[]): void {
  let from = 0;
  for (const text of texts) {
    const at = prompt.indexOf(text, from);
    assert.notEqual(at, -1, `the model must be given "${text}"${from === 0 ? "" : " after what came before it"}`);
    from = at + text.length;
  }
}

/** Waits for something that must happen soon. */
export async function soon<T>(
  { patienceMs = 5_000 }: ReactorContractOptions,
  promise: Promise<T>,
  what: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what} took more than ${patienceMs} ms` })),
      patienceMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
