import {
  defineAction,
  defineThread,
  withState,
  type ActionEffect,
  type AnyThreadDefinition,
  type CallIds,
} from "@hebra/thread";
import { scriptedReactor, type ReactorIds, type ScriptedStep, type TranscriptMessage } from "@hebra/thread/reactor";
import * as z from "zod";

/** What each action is declared as; the judge goes by this and not by what the store says. */
export const effects: Readonly<Record<string, ActionEffect>> = {
  look: "read",
  charge: "write",
  keep: "idempotent",
  scan: "read",
  send: "write",
  note: "idempotent",
  refund: "write",
};
/** They wait until the results of the others are written, so that a batch is recorded in two parts. */
const slow = new Set(["keep", "scan", "send"]);

/** The long turn, the one that waits in line behind it, and the one that follows the crash. */
export const triggers = { m1: "Do everything.", m2: "And then?", m3: "Are you still there?" } as const;
export type TriggerId = keyof typeof triggers;

const call = (name: string) => ({ name, input: { of: name } });
const long: readonly ScriptedStep[] = [
  { text: "Five things at once.", actions: ["look", "charge", "keep", "scan", "send"].map(call) },
  { text: "Two more, one with your consent.", actions: ["note", "refund"].map(call) },
  { text: "All done." },
];

/** What the definition reports to. */
export interface Witness {
  /** A model is asked. */
  asked(ids: ReactorIds, transcript: readonly TranscriptMessage[]): void;
  /** Takes effect. */
  effect(name: string, key: string, ids: CallIds): void;
  /** Resolves when a part of the first batch's results is in the store. */
  resultsWritten: Promise<void>;
}

/**
 * Three answers; five actions of every class beside each other; one that a person must allow; a change of state by
 * each.
 */
export function crashThread(witness: Witness): AnyThreadDefinition {
  const actions = Object.fromEntries(
    Object.entries(effects).map(([name, effect]) => [
      name,
      defineAction({
        description: name,
        input: z.object({ of: z.string() }),
        effect,
        approval: name === "refund" ? { reason: "Money leaves the house." } : false,
        async execute(_input, { idempotencyKey, ids, signal, state }) {
          if (slow.has(name)) await Promise.race([witness.resultsWritten, aborted(signal)]);
          witness.effect(name, idempotencyKey, ids);
          return withState(`${name} done`, { [name]: ((state as Record<string, number>)[name] ?? 0) + 1 });
        },
      }),
    ]),
  );
  return defineThread({
    name: "crash",
    state: z.record(z.string(), z.number()),
    initialState: {},
    actions,
    reactor: scriptedReactor({
      steps: (input) => {
        const asked = input.transcript.findLast(({ role }) => role === "user")?.parts[0];
        const text = asked?.kind === "text" ? asked.text : "";
        const script = text === triggers.m1 ? long : [{ text: `You asked: ${text}` }];
        witness.asked(input.ids, input.transcript);
        return script;
      },
    }),
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
}
