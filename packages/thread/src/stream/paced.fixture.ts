import { defineAction } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import type { Reactor, ReactorEvent, ReactorInput } from "@hebra/reactor";
import * as z from "zod";

const usage: ReactorEvent = { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } };
const said = (kind: "text" | "reasoning", id: string, words: readonly string[]): ReactorEvent[] => [
  { type: "part-start", partId: id, kind },
  ...words.map((delta): ReactorEvent => ({ type: "part-delta", partId: id, delta })),
  { type: "part-end", partId: id },
];

const answers: ReactorEvent[][] = [
  [
    ...said("reasoning", "r", ["Let ", "me ", "see."]),
    ...said("text", "t", ["I ", "look ", "it ", "up."]),
    { type: "action-request", callId: "c-1", name: "look", input: { at: "A-7" } },
    usage,
    { type: "finish", reason: "actions" },
  ],
  [...said("text", "t", ["It ", "has ", "shipped", "."]), usage, { type: "finish", reason: "stop" }],
];

/** What the turn says in all. */
export const WORDS = "I look it up.It has shipped.";

/** A definition whose model goes on one event at a time. @param next - resolves when the model may go on */
export function pacedThread(next: (event: ReactorEvent, input: ReactorInput) => Promise<void>) {
  const reactor: Reactor = {
    contract: "reactor-v1",
    name: "paced",
    async *react(input) {
      const wasAsked = input.transcript.some(({ parts }) => parts.some(({ kind }) => kind === "action"));
      for (const event of answers[wasAsked ? 1 : 0]!) {
        await next(event, input);
        input.signal.throwIfAborted();
        yield event;
      }
    },
  };
  return defineThread({
    name: "paced",
    reactor,
    actions: {
      look: defineAction({
        description: "Looks.",
        effect: "read",
        input: z.object({ at: z.string() }),
        execute: async (_, { emit }) => {
          emit?.("looking");
          return { status: "shipped" };
        },
      }),
    },
  });
}
