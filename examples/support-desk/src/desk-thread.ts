import { scriptedReactor } from "@hebra/thread/reactor";
import { defineAction, defineThread, type ActionMap } from "@hebra/thread";
import * as z from "zod";
import type { DialogueTurn, Exchange } from "./dialogues.ts";

/**
 * What the desk works with in one conversation: the line that it will say next, and the back office that it can ask.
 */
export interface Desk {
  readonly exchange: Exchange;
}

const parameters = z.record(z.string(), z.unknown());

/**
 * The new engine's desk. Its "model" follows a script: the instructions of each step are the line to say, as they would
 * be
 * the system prompt of a real one. Its actions ask the back office, which knows the answers of the file.
 *
 * @param deskOf - the desk of a conversation, by its key.
 * @param paceMs - how long the "model" takes for each piece of an answer.
 */
export function deskThread(deskOf: (threadKey: string) => Desk, paceMs = 0) {
  const actions = new Map<string, ActionMap[string]>();
  return defineThread({
    name: "support-desk",
    services: ({ threadKey }) => deskOf(threadKey),
    instructions: ({ services }) => JSON.stringify(services.exchange.system),
    actions: ({ services }) => {
      const { call } = services.exchange.system;
      if (call === undefined) return {};
      const name = actionName(call);
      const action = actions.get(name) ?? backOffice(name);
      actions.set(name, action);
      return { [name]: action };
    },
    reactor: scriptedReactor({
      steps: [
        ({ instructions, ids }) => {
          const line = JSON.parse(instructions!) as DialogueTurn;
          if (line.call !== undefined && ids.iteration === 0)
            return { actions: [{ name: actionName(line.call), input: line.call.parameters }] };
          return {
            text: words(line.utterance),
            usage: { inputTokens: instructions!.length >> 2, outputTokens: line.utterance.length >> 2 },
          };
        },
      ],
      repeatLast: true,
      delayMs: paceMs,
    }),
  });
}

function backOffice(name: string) {
  return defineAction<Record<string, unknown>, unknown, unknown, Desk>({
    description: `Asks the back office: ${name}.`,
    input: parameters,
    effect: "idempotent",
    execute: (_input, { services }) => services.exchange.system.results ?? [],
  });
}

/** The name under which the model knows a method of a service. */
export const actionName = ({ service, method }: { service: string; method: string }): string => `${service}_${method}`;

/** A line in pieces, as a model would stream it. */
function words(line: string): string[] {
  return line.split(/(?<= )/);
}
