import assert from "node:assert/strict";
import { createReactorInput } from "../testing/input.ts";
import { collect, play, textOf, type Clause } from "./scenario.ts";

const find = {
  name: "findOrder",
  description: "Finds an order.",
  inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
};
const note = { name: "takeNote", description: "Takes a note.", inputSchema: { type: "object", properties: {} } };
const withActions = () => createReactorInput({ actions: [find, note] });

/** What a reactor makes of what its model answers. */
export const answerClauses = {
  "a reactor says its contract and its name": async ({ create }) => {
    const reactor = await create(() => ({}));
    assert.equal(reactor.contract, "reactor-v1");
    assert.match(reactor.name, /^[a-z0-9][a-z0-9-]*$/, "a name for telemetry is lower-case words joined by hyphens");
  },

  "a text answer comes in parts and ends with `stop`": async (options) => {
    const events = await play(options, { text: ["One ", "two ", "three."] }, createReactorInput());
    assert.equal(textOf(events, "text"), "One two three.");
    assert.deepEqual(events.at(-1), { type: "finish", reason: "stop" });
  },

  "reasoning comes apart from the text": async (options) => {
    const events = await play(options, { reasoning: ["Let me ", "think."], text: ["Yes."] }, createReactorInput());
    assert.equal(textOf(events, "reasoning"), "Let me think.");
    assert.equal(textOf(events, "text"), "Yes.");
  },

  "every piece of text is well-formed, and no character is lost": async (options) => {
    const events = await play(
      options,
      { text: ["smile \ud83d", "\ude00", " and \u0000 and \ud83d\ude00 end"] },
      createReactorInput(),
    );
    assert.equal(textOf(events, "text"), "smile \u{1f600} and \u0000 and \u{1f600} end");
    for (const event of events)
      if (event.type === "part-delta")
        assert.ok(event.delta.isWellFormed(), "half a surrogate pair must wait for its other half");
  },

  "an answer without any content is an answer": async (options) => {
    const events = await play(options, {}, createReactorInput());
    assert.deepEqual(events.at(-1), { type: "finish", reason: "stop" });
    assert.equal(textOf(events, "text"), "");
  },

  "usage is reported as the model reports it": async (options) => {
    const events = await play(
      options,
      { text: ["Hi."], usage: { inputTokens: 41, outputTokens: 17 } },
      createReactorInput(),
    );
    const sum = (key: "inputTokens" | "outputTokens") =>
      events.reduce((total, event) => total + (event.type === "usage" ? (event.usage[key] ?? 0) : 0), 0);
    assert.deepEqual([sum("inputTokens"), sum("outputTokens")], [41, 17]);
  },

  "an answer cut off by its length says so": async (options) => {
    const events = await play(options, { text: ["Half of"], then: "length" }, createReactorInput());
    assert.equal(textOf(events, "text"), "Half of");
    assert.deepEqual(events.at(-1), { type: "finish", reason: "length" });
  },

  "several actions are requested in one answer, in the model's order": async (options) => {
    const actions = [
      { callId: "call-1", name: "findOrder", input: '{"id":"A-17"}' },
      { callId: "call-2", name: "takeNote", input: '{"text":"café \\u2028","nested":{"list":[1,null,true]}}' },
      { callId: "call-3", name: "findOrder", input: '{"id":"B-2"}' },
    ];
    const events = await play(options, { text: ["Looking."], actions }, withActions());
    const requests = events.filter((event) => event.type === "action-request");
    assert.deepEqual(
      requests.map(({ name, input }) => [name, input]),
      actions.map(({ name, input }) => [name, JSON.parse(input) as unknown]),
    );
    assert.equal(new Set(requests.map(({ callId }) => callId)).size, 3);
    assert.deepEqual(events.at(-1), { type: "finish", reason: "actions" });
  },

  "malformed input of an action is passed on, not thrown": async (options) => {
    const events = await play(
      options,
      { actions: [{ callId: "call-1", name: "findOrder", input: '{"id": "A-1' }] },
      withActions(),
    );
    const request = events.find((event) => event.type === "action-request");
    assert.ok(request !== undefined, "the call must be requested, so that the model can be told what is wrong");
    assert.equal(request.input, '{"id": "A-1', "input that is no JSON is passed on as the text that it is");
    assert.deepEqual(events.at(-1), { type: "finish", reason: "actions" });
  },

  "input that does not fit the schema is passed on, not thrown": async (options) => {
    const events = await play(
      options,
      { actions: [{ callId: "call-1", name: "findOrder", input: '{"id":5,"more":1}' }] },
      withActions(),
    );
    assert.deepEqual(events.find((event) => event.type === "action-request")?.input, { id: 5, more: 1 });
  },

  "an action that does not exist is requested all the same": async (options) => {
    const events = await play(
      options,
      { actions: [{ callId: "call-1", name: "noSuchAction", input: "{}" }] },
      withActions(),
    );
    assert.equal(events.find((event) => event.type === "action-request")?.name, "noSuchAction");
    assert.deepEqual(events.at(-1), { type: "finish", reason: "actions" });
  },

  "a call id that was used before is not used again": async (options) => {
    const actions = [
      { callId: "again", name: "takeNote", input: "{}" },
      { callId: "again", name: "findOrder", input: '{"id":"A"}' },
    ];
    const input = createReactorInput({
      actions: [find, note],
      ids: { iteration: 1 },
      transcript: [
        { id: "item-1", role: "user", parts: [{ kind: "text", text: "Hello." }] },
        {
          id: "item-2",
          role: "assistant",
          parts: [
            {
              kind: "action",
              callId: "again",
              name: "takeNote",
              input: {},
              status: "succeeded",
              output: null,
              step: 0,
            },
          ],
        },
      ],
    });
    const ids = async () =>
      (await play(options, { actions }, input)).flatMap((event) =>
        event.type === "action-request" ? event.callId : [],
      );
    const first = await ids();
    assert.equal(new Set([...first, "again"]).size, 3, "ids must be unique in the execution");
    assert.deepEqual(await ids(), first, "an id made in its place must be the same when the step is repeated");
  },

  "two answers at once do not mix": async (options) => {
    const reactor = await options.create((prompt) => ({
      text: prompt.includes("marker-a") ? ["a1 ", "a2 ", "a3"] : ["b1 ", "b2 ", "b3"],
    }));
    const ask = (text: string, executionId: string) =>
      collect(
        reactor.react(
          createReactorInput({
            ids: { executionId },
            transcript: [{ id: "item-1", role: "user", parts: [{ kind: "text", text }] }],
          }),
        ),
      );
    const [a, b] = await Promise.all([ask("marker-a", "e-1"), ask("marker-b", "e-2")]);
    assert.deepEqual([textOf(a, "text"), textOf(b, "text")], ["a1 a2 a3", "b1 b2 b3"]);
  },
} satisfies Record<string, Clause>;
