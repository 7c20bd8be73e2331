import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import type { ActionChoice, ReactorInput } from "../reactor.ts";
import { createReactorInput, type ReactorInputOverrides } from "../testing/input.ts";
import type { Role, TranscriptMessage, TranscriptPart } from "../transcript.ts";
import { assertInOrder, collect, promptOf, type Clause } from "./scenario.ts";

const say = (role: Role, text: string): TranscriptMessage => ({ id: text, role, parts: [{ kind: "text", text }] });
const action = {
  name: "marker-action",
  description: "marker-description",
  inputSchema: { type: "object", properties: { markerInput: { type: "string" } } },
};
const ask = (...transcript: TranscriptMessage[]): ReactorInput => createReactorInput({ transcript });

/** What of the input reaches the model. */
export const promptClauses = {
  "the model is given the conversation in its order": async (options) => {
    const prompt = await promptOf(
      options,
      ask(say("user", "marker-1"), say("assistant", "marker-2"), say("user", "marker-3")),
    );
    assertInOrder(prompt, ["marker-1", "marker-2", "marker-3"]);
  },

  "the model is given the instructions": async (options) => {
    assertInOrder(await promptOf(options, createReactorInput({ instructions: "marker-instructions" })), [
      "marker-instructions",
    ]);
  },

  "the model is given each action's name, description and schema": async (options) => {
    const prompt = await promptOf(options, createReactorInput({ actions: [action] }));
    for (const marker of ["marker-action", "marker-description", "markerInput"]) assertInOrder(prompt, [marker]);
  },

  "each choice of actions makes a difference to the model": async (options) => {
    const choices: ActionChoice[] = ["auto", "required", "none", { action: action.name }];
    const prompts = await Promise.all(
      choices.map((actionChoice) => promptOf(options, createReactorInput({ actions: [action], actionChoice }))),
    );
    assert.equal(new Set(prompts).size, choices.length);
  },

  "the model is given the schema of the output": async (options) => {
    const outputSchema = {
      type: "object",
      properties: { markerOutput: { type: "string" } },
      additionalProperties: false,
    };
    assertInOrder(await promptOf(options, createReactorInput({ outputSchema })), ["markerOutput"]);
  },

  "the model is given the limit of its output": async (options) => {
    assertInOrder(await promptOf(options, createReactorInput({ limits: { maxOutputTokens: 7391 } })), ["7391"]);
  },

  "the model is given settled actions, with output or error, step by step": async (options) => {
    const parts: TranscriptPart[] = [
      { kind: "text", text: "marker-before", step: 0 },
      {
        kind: "action",
        callId: "c-1",
        name: action.name,
        input: { markerInput: "in-1" },
        status: "succeeded",
        output: { found: "out-1" },
        step: 0,
      },
      {
        kind: "action",
        callId: "c-2",
        name: action.name,
        input: { markerInput: "in-2" },
        status: "failed",
        error: "error-2",
        step: 0,
      },
      {
        kind: "action",
        callId: "c-3",
        name: action.name,
        input: { markerInput: "in-3" },
        status: "succeeded",
        output: "out-3",
        step: 1,
      },
    ];
    const prompt = await promptOf(
      options,
      createReactorInput({
        actions: [action],
        transcript: [say("user", "marker-first"), { id: "i", role: "assistant", parts }],
        ids: { iteration: 2 },
      }),
    );
    assertInOrder(prompt, ["marker-first", "marker-before", "in-1", "in-2"]);
    assertInOrder(prompt, ["in-1", "out-1", "in-3", "out-3"]);
    assertInOrder(prompt, ["in-2", "error-2", "in-3"]);
  },

  "calls with malformed input, odd ids or no output are no obstacle": async (options) => {
    const call = (callId: string, extra: object): TranscriptPart => ({
      kind: "action",
      callId,
      name: action.name,
      input: {},
      status: "succeeded",
      step: 0,
      ...extra,
    });
    const parts = [
      call("c|1:\u00e9 odd", { input: '{"broken' }),
      call("c-2", { input: [1] }),
      call("c-3", { status: "failed" }),
      call("x".repeat(400), { output: null }),
    ];
    await promptOf(
      options,
      createReactorInput({
        transcript: [say("user", "Hello."), { id: "i", role: "assistant", parts }, say("user", "And?")],
      }),
    );
  },

  "every kind of part may be in the conversation": async (options) => {
    const parts: TranscriptPart[] = [
      { kind: "text", text: "" },
      { kind: "file", mediaType: "image/png", url: "data:image/png;base64,iVBORw0KGgo=", filename: "a.png" },
      { kind: "file", mediaType: "application/pdf", url: "blob:store/7" },
      { kind: "data", name: "form", data: { field: "marker-data" } },
      { kind: "source", id: "s-1", url: "https://example.org/", title: "Example" },
      { kind: "text", text: "marker-text" },
    ];
    const assistant: TranscriptPart[] = [
      { kind: "reasoning", text: "Hm." },
      { kind: "source", id: "s-2" },
      { kind: "text", text: "marker-answer" },
    ];
    const prompt = await promptOf(
      options,
      ask(
        { id: "1", role: "user", parts },
        { id: "2", role: "assistant", parts: assistant },
        { id: "3", role: "user", parts: [] },
        say("user", "marker-last"),
      ),
    );
    assertInOrder(prompt, ["marker-text", "marker-answer", "marker-last"]);
    assertInOrder(prompt, ["marker-data"]);
  },

  "system messages may stand anywhere": async (options) => {
    const prompt = await promptOf(
      options,
      ask(
        say("system", "marker-1"),
        say("user", "marker-2"),
        say("assistant", "marker-3"),
        say("system", "marker-4"),
        say("user", "marker-5"),
      ),
    );
    for (const marker of ["marker-1", "marker-4"]) assertInOrder(prompt, [marker]);
    assertInOrder(prompt, ["marker-2", "marker-3", "marker-5"]);
  },

  "the conversation may end with the assistant": async (options) => {
    assertInOrder(await promptOf(options, ask(say("user", "marker-1"), say("assistant", "marker-2"))), [
      "marker-1",
      "marker-2",
    ]);
  },

  "a role or a part of a later version is passed over, or refused with a typed error": async (options) => {
    const later = [
      [say("moderator" as Role, "Order!"), say("user", "Hello.")],
      [
        {
          id: "1",
          role: "user",
          parts: [{ kind: "hologram", text: "?" } as unknown as TranscriptPart, { kind: "text", text: "Hello." }],
        },
      ],
    ] satisfies TranscriptMessage[][];
    for (const transcript of later) {
      const reactor = await options.create(() => ({ text: ["Done."] }));
      try {
        await collect(reactor.react(ask(...transcript)));
      } catch (error) {
        assert.ok(
          HebraError.isInstance(error) && error.code === "UNSUPPORTED",
          `not a typed refusal: ${String(error)}`,
        );
      }
    }
  },

  "the same input asks the model the same": async (options) => {
    const overrides: ReactorInputOverrides = {
      actions: [action],
      instructions: "Be brief.",
      transcript: [say("user", "marker-1")],
    };
    const prompts: string[] = [];
    const reactor = await options.create((prompt) => {
      prompts.push(prompt);
      return { text: ["Done."], actions: [{ callId: "c", name: action.name, input: "{}" }] };
    });
    const first = await collect(reactor.react(createReactorInput(overrides)));
    assert.deepEqual(await collect(reactor.react(createReactorInput(overrides))), first);
    assert.equal(prompts[1], prompts[0]);
  },

  "what the reactor remembers comes back to it": async (options) => {
    const prompts: string[] = [];
    const reactor = await options.create((prompt) => {
      prompts.push(prompt);
      return { text: ["Done."], session: { note: "marker-session" } };
    });
    const state = (await collect(reactor.react(createReactorInput()))).findLast(
      (event) => event.type === "session",
    )?.state;
    assert.ok(state !== undefined, "a `session` event must carry what is to be remembered");
    await collect(
      reactor.react(
        createReactorInput({ session: JSON.parse(JSON.stringify(state)) as typeof state, ids: { iteration: 1 } }),
      ),
    );
    assertInOrder(prompts[1]!, ["marker-session"]);
  },
} satisfies Record<string, Clause>;
