import { HebraError, type ManualClock } from "@hebra/core";
import { scriptedReactor, type ReactorInput, type ScriptedStep } from "@hebra/reactor";
import { defineAction, defineThread, type AnyThreadDefinition, type ThreadStore } from "@hebra/thread";
import * as z from "zod";
import { behaviour, isBad, type Behaviour, type Cause } from "./causes.fixture.ts";
import { createOldEngine } from "./old-engine.fixture.ts";

const modelDown = () => new HebraError("UNREACHABLE", "The model is down.", { retryable: false });

/** `<session> <turn>`: what a message of these tests says. */
export const saying = (session: string, turn: number): string => `${session} ${turn}`;

function said(text: string): { session: string; turn: number } {
  const [session = "", turn = "0"] = text.split(" ");
  return { session, turn: Number(turn) };
}

/** The new engine's definition: it takes its time on the clock, and fails as the cause says. */
export function newDefinition(cause: Cause, clock: ManualClock): AnyThreadDefinition {
  const now = (text: string): Behaviour => behaviour(cause, "new", said(text), modelDown);
  return defineThread({
    name: "desk",
    actions: {
      look_up: defineAction({
        description: "Looks an order up.",
        input: z.object({ number: z.string() }),
        effect: "read",
        execute: ({ number }) => {
          if (now(number).actionFails)
            throw new HebraError("UNREACHABLE", "The orders are away.", { retryable: false });
          return { number };
        },
      }),
      pay: defineAction({
        description: "Pays an order.",
        input: z.object({ number: z.string() }),
        effect: "read",
        execute: () => {
          throw new HebraError("UNREACHABLE", "The bank is away.", { retryable: false });
        },
      }),
    },
    reactor: scriptedReactor({
      steps: [
        (input): ScriptedStep => {
          const number = textOf(input);
          const pay = now(number).pays ? [{ name: "pay", input: { number } }] : [];
          return { actions: [{ name: "look_up", input: { number } }, ...pay] };
        },
        async (input): Promise<ScriptedStep> => {
          const text = textOf(input);
          const { ms, costUsd, throws, cutShort } = now(text);
          await clock.advance(ms);
          if (throws !== undefined) return { error: throws };
          const usage = { inputTokens: 50, outputTokens: 10, costUsd };
          return { text: `new: ${text}`, usage, ...(cutShort ? { finish: "length" as const } : {}) };
        },
      ],
    }),
  });
}

function textOf({ transcript }: ReactorInput): string {
  const part = transcript.findLast(({ role }) => role === "user")?.parts.at(-1);
  return part?.kind === "text" ? part.text : "";
}

/** The old engine, which measures the same. */
export function oldEngine(cause: Cause, clock: ManualClock) {
  return createOldEngine(async ({ text = "" }) => {
    const { ms, costUsd, throws, actionFails, pays, cutShort } = behaviour(cause, "old", said(text), modelDown);
    await clock.advance(ms);
    return {
      texts: throws === undefined ? [`old: ${text}`] : [],
      status: throws !== undefined ? "failed" : cutShort ? "incomplete" : "ok",
      ...(throws === undefined ? {} : { error: throws }),
      cost: costUsd,
      steps: 2,
      tokens: 60,
      // The bank answers the old engine.
      calls: [{ name: "look_up", ok: !actionFails }, ...(pays ? [{ name: "pay", ok: true }] : [])],
    };
  });
}

/** A store that loses the calls of bad sessions, and says that it wrote them. */
export function losing(store: ThreadStore, { fault, shares }: Cause): ThreadStore {
  if (fault !== "missing-rows") return store;
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name !== "commit") return typeof member === "function" ? (member.bind(target) as unknown) : member;
      const commit: ThreadStore["commit"] = (tenant, contextId, guard, changes) =>
        target.commit(tenant, contextId, guard, isBad(contextId, shares.new) ? { ...changes, calls: [] } : changes);
      return commit;
    },
  });
}
