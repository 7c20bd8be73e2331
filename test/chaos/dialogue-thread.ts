import { setTimeout as wait } from "node:timers/promises";
import type { Reactor, ReactorInput } from "@hebra/reactor";
import { defineThread } from "@hebra/thread";
import * as z from "zod";
import { dialogues } from "./dialogue-data.ts";
import { attempt } from "./event-log.ts";
import { nonceOf } from "./records.ts";

/** Milliseconds that an answer takes. */
const THINKING_MS = 50;

/** The chat's name is the dialogue's, behind the channel's. */
const dialogueOf = (threadKey: string) => dialogues()?.get(threadKey.slice(threadKey.indexOf(":") + 1));

/**
 * Says what the other side said at this place of the dialogue. Nothing is kept between two calls: any process may
 * answer.
 */
const reactor: Reactor = {
  contract: "reactor-v1",
  name: "dialogue",
  async *react({ transcript, instructions = "", ids, signal }: ReactorInput) {
    const turn = transcript.filter(({ role }) => role === "user").length * 2 - 1;
    const dialogue = dialogueOf(instructions);
    const said = dialogue?.turns[turn];
    if (dialogue === undefined || said === undefined)
      throw new Error(`The dialogue ${instructions} has no turn ${turn}.`);
    const { end } = attempt(nonceOf("dialogues", dialogue.id, (turn - 1) / 2), signal);
    await wait(THINKING_MS);
    end();
    const calls = said.call !== undefined && ids.iteration === 0;
    if (calls) yield { type: "action-request", callId: `call-${turn}`, name: "call", input: { ...said.call!, turn } };
    else {
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: said.utterance };
      yield { type: "part-end", partId: "p" };
    }
    yield { type: "usage", usage: {} };
    yield { type: "finish", reason: calls ? "actions" : "stop" };
  },
};

/** Plays the dialogues of a file: the same words at the same places, and calls of the services that were called. */
export const dialogueThread = defineThread({
  name: "dialogue",
  reactor,
  services: ({ threadKey }) => ({ threadKey }),
  // The reactor learns from here which dialogue it plays.
  instructions: ({ services }) => services.threadKey,
  actions: ({ action }) => ({
    call: action({
      description: "Calls a service of the dialogue.",
      input: z.object({
        service: z.string(),
        method: z.string(),
        parameters: z.record(z.string(), z.unknown()),
        turn: z.number(),
      }),
      // Found in a file: asked twice, it says the same twice.
      effect: "read",
      execute: ({ turn }, { services }) => dialogueOf(services.threadKey)?.turns[turn]?.results ?? [],
    }),
  }),
});
