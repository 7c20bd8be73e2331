import { expect } from "vitest";
import { createManualClock } from "@hebra/core";
import type { Reactor, ReactorInput } from "@hebra/reactor";
import { scriptedReactor, type ScriptedStepSource } from "@hebra/reactor";
import * as z from "zod";
import { defineAction, type Action } from "../definition/define-action.ts";
import { defineThread, type ThreadOptions } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import type { EngineOptions } from "./api.ts";
import { createEngine } from "./engine.ts";

/** An action that takes anything. */
export const action = (
  execute: Action<Record<string, unknown>, unknown>["execute"],
  over: Partial<Action<Record<string, unknown>, unknown>> = {},
) =>
  defineAction<Record<string, unknown>, unknown>({
    description: "A test action.",
    input: z.record(z.string(), z.unknown()),
    execute,
    ...over,
  });

/** A definition with a script. */
export const scripted = (steps: ScriptedStepSource[], over: Partial<ThreadOptions> = {}) =>
  defineThread({ name: "test", reactor: scriptedReactor({ steps, repeatLast: true }), ...over });

/** An engine over a store of memory, or another. */
export function setUp(definition: ReturnType<typeof defineThread>, over: Partial<EngineOptions> = {}) {
  const store: ThreadStore = over.store ?? memoryStore();
  const engine = createEngine({ threads: [definition], recoverEveryMs: false, ...over, store });
  return { store, engine, address: { key: "customer-7" } };
}

/** A reactor that stops in the middle of an answer until it is let go. */
export function gatedReactor(text = "partial"): {
  reactor: Reactor;
  inputs: ReactorInput[];
  reached: Promise<void>;
  open(): void;
} {
  const gate = deferred();
  const reached = deferred();
  const inputs: ReactorInput[] = [];
  const reactor: Reactor = {
    contract: "reactor-v1",
    name: "gated",
    async *react(input) {
      inputs.push(input);
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: text };
      reached.resolve();
      await Promise.race([
        gate.promise,
        new Promise((_, reject) =>
          input.signal.addEventListener("abort", () => reject(input.signal.reason as Error), { once: true }),
        ),
      ]);
      yield { type: "part-end", partId: "p" };
      yield { type: "usage", usage: {} };
      yield { type: "finish", reason: "stop" };
    },
  };
  return { reactor, inputs, reached: reached.promise, open: () => gate.resolve() };
}

/** Asserts that the context at an address holds together and nothing is left to settle. */
export async function expectSettled(store: ThreadStore, key = "customer-7"): Promise<void> {
  const snapshot = await store.load("default", { key });
  const bundle = await store.export("default", snapshot!.context.id);
  expect(verifyGraph(bundle!, { settled: true })).toEqual([]);
}

export { createManualClock };

export function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve: () => resolve() };
}
