import { describe, expect, it } from "vitest";
import { scriptedHarness } from "./contract/scripted-harness.ts";
import type { FakeModel } from "./contract/scenario.ts";
import type { ReactorEvent } from "./events.ts";
import type { Reactor, ReactorInput } from "./reactor.ts";
import { reactorContract, type ReactorClause } from "./reactor.contract.ts";
import { faultyReactor } from "./testing/faulty.ts";

describe("the scripted reactor", () => {
  for (const [title, clause] of Object.entries(reactorContract({ create: scriptedHarness }))) it(title, clause);
});

/** A sound reactor with its events or its input tampered with. */
const tampered =
  (
    events?: (event: ReactorEvent, input: ReactorInput) => ReactorEvent[],
    look: (input: ReactorInput) => ReactorInput = (input) => input,
  ) =>
  (model: FakeModel): Reactor => {
    const sound = scriptedHarness(model);
    return {
      ...sound,
      async *react(input) {
        for await (const event of sound.react(look(input))) yield* events?.(event, input) ?? [event];
      },
    };
  };
const without = <K extends keyof ReactorInput>(key: K) =>
  tampered(undefined, (input) => ({ ...input, [key]: undefined }));
const on = <T extends ReactorEvent["type"]>(
  type: T,
  change: (event: Extract<ReactorEvent, { type: T }>, input: ReactorInput) => ReactorEvent[],
) =>
  tampered((event, input) =>
    event.type === type ? change(event as Extract<ReactorEvent, { type: T }>, input) : [event],
  );

let turn = 0;

describe("the contract notices", () => {
  const planted: [string, ReactorClause, (model: FakeModel) => Reactor][] = [
    [
      "another contract",
      "a reactor says its contract and its name",
      (model) => ({ ...scriptedHarness(model), contract: "reactor-v2" as "reactor-v1" }),
    ],
    [
      "two ends",
      "a text answer comes in parts and ends with `stop`",
      (model) => faultyReactor(scriptedHarness(model), { kind: "duplicate-finish" }),
    ],
    [
      "no usage",
      "a text answer comes in parts and ends with `stop`",
      (model) => faultyReactor(scriptedHarness(model), { kind: "drop", type: "usage" }),
    ],
    [
      "a lost piece",
      "a text answer comes in parts and ends with `stop`",
      on("part-delta", (event) => (event.delta === "two " ? [] : [event])),
    ],
    [
      "no end",
      "an answer without any content is an answer",
      (model) => faultyReactor(scriptedHarness(model), { kind: "drop", type: "finish" }),
    ],
    [
      "reasoning as text",
      "reasoning comes apart from the text",
      on("part-start", (event) => [{ ...event, kind: "text" }]),
    ],
    [
      "half characters",
      "every piece of text is well-formed, and no character is lost",
      on("part-delta", (event) =>
        Array.from({ length: event.delta.length }, (_, i) => ({ ...event, delta: event.delta[i]! })),
      ),
    ],
    ["invented usage", "usage is reported as the model reports it", on("usage", (event) => [event, event])],
    [
      "a hidden cut",
      "an answer cut off by its length says so",
      on("finish", (event) => [{ ...event, reason: "stop" }]),
    ],
    [
      "a lost call",
      "several actions are requested in one answer, in the model's order",
      on("action-request", (event) => (JSON.stringify(event.input).includes("B-2") ? [] : [event])),
    ],
    [
      "hidden bad input",
      "malformed input of an action is passed on, not thrown",
      on("action-request", (event) => [{ ...event, input: {} }]),
    ],
    [
      "repaired input",
      "input that does not fit the schema is passed on, not thrown",
      on("action-request", (event) => [{ ...event, input: { id: "5" } }]),
    ],
    [
      "a hidden unknown action",
      "an action that does not exist is requested all the same",
      on("action-request", (event) => [{ ...event, name: "findOrder" }]),
    ],
    [
      "a call id again",
      "a call id that was used before is not used again",
      on("action-request", (event) => [{ ...event, callId: event.name === "takeNote" ? "again" : "new" }]),
    ],
    [
      "random call ids",
      "a call id that was used before is not used again",
      on("action-request", (event) => [{ ...event, callId: `id-${turn++}` }]),
    ],
    [
      "mixed answers",
      "two answers at once do not mix",
      on("part-delta", (event, input) => [
        { ...event, delta: input.ids.executionId === "e-2" ? event.delta.replace("b2", "a2") : event.delta },
      ]),
    ],
    ["no instructions", "the model is given the instructions", without("instructions")],
    [
      "no actions",
      "the model is given each action's name, description and schema",
      tampered(undefined, (input) => ({ ...input, actions: [] })),
    ],
    ["no choice", "each choice of actions makes a difference to the model", without("actionChoice")],
    ["no output schema", "the model is given the schema of the output", without("outputSchema")],
    ["no limits", "the model is given the limit of its output", without("limits")],
    [
      "a reversed conversation",
      "the model is given the conversation in its order",
      tampered(undefined, (input) => ({ ...input, transcript: input.transcript.toReversed() })),
    ],
    [
      "lost errors",
      "the model is given settled actions, with output or error, step by step",
      tampered(
        undefined,
        (input) =>
          JSON.parse(JSON.stringify({ ...input, signal: undefined }).replaceAll("error-2", "")) as ReactorInput,
      ),
    ],
    [
      "lost system messages",
      "system messages may stand anywhere",
      tampered(undefined, (input) => ({
        ...input,
        transcript: input.transcript.filter(({ role }) => role !== "system"),
      })),
    ],
    [
      "lost data",
      "every kind of part may be in the conversation",
      tampered(undefined, (input) => ({
        ...input,
        transcript: input.transcript.map((message) => ({
          ...message,
          parts: message.parts.filter(({ kind }) => kind !== "data"),
        })),
      })),
    ],
    [
      "a dropped last message",
      "the conversation may end with the assistant",
      tampered(undefined, (input) => ({ ...input, transcript: input.transcript.slice(0, -1) })),
    ],
    [
      "random prompts",
      "the same input asks the model the same",
      tampered(undefined, (input) => ({ ...input, instructions: `It is ${turn++} o'clock.` })),
    ],
    ["a lost memory", "what the reactor remembers comes back to it", without("session")],
    [
      "an untyped failure",
      "a failure is thrown once, as a typed error, after what came before it",
      (model) => ({ ...scriptedHarness(model), react: () => rethrown(model) }),
    ],
    [
      "an end after an abort that looks proper",
      "an abort before the start gives no answer",
      tampered(undefined, (input) => ({ ...input, signal: new AbortController().signal })),
    ],
    [
      "a reactor deaf to aborts",
      "an abort ends the answer soon, without `finish`",
      tampered(undefined, (input) => ({ ...input, signal: new AbortController().signal })),
    ],
    [
      "a reactor that holds its consumer",
      "a consumer that leaves is not held up",
      (model) => ({ ...scriptedHarness(model), react: (input) => held(scriptedHarness(model).react(input)) }),
    ],
    [
      "a reactor that breaks for good",
      "a reactor that failed or was left answers the next step",
      (model) => ({
        ...scriptedHarness(model),
        react: (input) => (input.ids.attempt === 3 ? rethrown(model) : scriptedHarness(model).react(input)),
      }),
    ],
    [
      "an untyped refusal",
      "a role or a part of a later version is passed over, or refused with a typed error",
      tampered(undefined, (input) => {
        if (input.transcript.some(({ role }) => !["user", "assistant", "system"].includes(role)))
          throw new TypeError("What is that?");
        return input;
      }),
    ],
    [
      "an obstacle",
      "calls with malformed input, odd ids or no output are no obstacle",
      tampered(undefined, (input) => {
        if (JSON.stringify(input.transcript).includes("broken")) throw new TypeError("not an object");
        return input;
      }),
    ],
    [
      "a failure that looks like an empty answer",
      "a failure before any content is thrown too",
      (model) => ({ ...scriptedHarness(model), react: swallowed }),
    ],
  ];

  it.each(planted)("%s", async (_, title, create) => {
    await expect(reactorContract({ create, patienceMs: 100 })[title]!()).rejects.toThrow();
    await expect(reactorContract({ create: scriptedHarness })[title]!()).resolves.toBeUndefined();
  });

  it("something under every title", () => {
    expect(
      Object.keys(reactorContract({ create: scriptedHarness })).filter(
        (title) => !planted.some(([, clause]) => clause === title),
      ),
    ).toEqual([]);
  });

  it("wrong titles and missing reasons of skipped clauses", () => {
    const skip = (reason: Record<string, string>) => () => reactorContract({ create: scriptedHarness, skip: reason });
    expect(skip({ "reasoning comes apart": "why not" })).toThrow(/no clause "reasoning comes apart"/);
    expect(skip({ "reasoning comes apart from the text": " " })).toThrow(/say why/);
    expect(Object.keys(skip({ "reasoning comes apart from the text": "text alone" })())).not.toContain(
      "reasoning comes apart from the text",
    );
  });
});

async function* rethrown(model: FakeModel): AsyncGenerator<ReactorEvent> {
  yield { type: "part-start", partId: "p", kind: "text" };
  for (const delta of model("{}").text ?? []) yield { type: "part-delta", partId: "p", delta };
  throw new TypeError("fetch failed");
}

async function* held(answer: AsyncIterable<ReactorEvent>): AsyncGenerator<ReactorEvent> {
  try {
    yield* answer;
  } finally {
    await new Promise(() => {});
  }
}

async function* swallowed(): AsyncGenerator<ReactorEvent> {
  yield { type: "usage", usage: {} };
  yield { type: "finish", reason: "stop" };
}
