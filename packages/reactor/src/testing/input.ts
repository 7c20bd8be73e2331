import { deriveId } from "@hebra/core";
import type { ReactorEvent } from "../events.ts";
import type { ReactorIds, ReactorInput } from "../reactor.ts";

/** What {@link createReactorInput} lets a test choose. */
export type ReactorInputOverrides = Omit<Partial<ReactorInput>, "ids"> & { ids?: Partial<ReactorIds> };

/**
 * The input of one step, complete: one user message that says "Hello.", no actions, iteration 0, a signal that never
 * aborts.
 *
 * @example
 * ```ts
 * import { scriptedReactor } from "@hebra/reactor";
 * import { collectEvents, createReactorInput } from "@hebra/reactor/testing";
 *
 * const reactor = scriptedReactor({ steps: [{ text: "Hi." }] });
 * const events = await collectEvents(reactor.react(createReactorInput({ ids: { executionId: "e-1" } })));
 * console.log(events.at(-1)); // { type: "finish", reason: "stop" }
 * ```
 */
export function createReactorInput(overrides: ReactorInputOverrides = {}): ReactorInput {
  const ids: ReactorIds = {
    tenant: "default",
    threadId: "thread-1",
    contextId: "context-1",
    executionId: "execution-1",
    stepId: "",
    iteration: 0,
    attempt: 1,
    ...overrides.ids,
  };
  if (ids.stepId === "") ids.stepId = deriveId("step", ids.executionId, ids.iteration);
  return {
    transcript: [{ id: "item-1", role: "user", parts: [{ kind: "text", text: "Hello." }] }],
    actions: [],
    signal: new AbortController().signal,
    ...overrides,
    ids,
  };
}

/** All events of an answer, in order. Throws what the answer throws. */
export async function collectEvents(events: AsyncIterable<ReactorEvent>): Promise<ReactorEvent[]> {
  const all: ReactorEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
