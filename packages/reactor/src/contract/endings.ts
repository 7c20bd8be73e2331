import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { checkEvents } from "../check-events.ts";
import type { ReactorEvent } from "../events.ts";
import type { Reactor, ReactorInput } from "../reactor.ts";
import { createReactorInput } from "../testing/input.ts";
import { collect, soon, textOf, type Clause } from "./scenario.ts";

/** Reads events until one passes, and gives the iterator to go on with. */
async function until(
  reactor: Reactor,
  input: ReactorInput,
  type: ReactorEvent["type"],
): Promise<AsyncIterator<ReactorEvent, unknown>> {
  const iterator = reactor.react(input)[Symbol.asyncIterator]();
  for (let next = await iterator.next(); ; next = await iterator.next()) {
    assert.ok(next.done !== true, `the answer ended before a \`${type}\``);
    if (next.value.type === type) return iterator;
  }
}

/** What comes until the answer ends or throws. */
async function rest(
  iterator: AsyncIterator<ReactorEvent, unknown>,
): Promise<{ events: ReactorEvent[]; error?: unknown }> {
  const events: ReactorEvent[] = [];
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) events.push(next.value);
    return { events };
  } catch (error) {
    return { events, error };
  }
}

/** Aborts, failures and consumers that leave. */
export const endingClauses = {
  "an abort ends the answer soon, without `finish`": async (options) => {
    const controller = new AbortController();
    const reactor = await options.create(() => ({ text: ["A piece."], then: "hang" }));
    const iterator = await soon(
      options,
      until(reactor, createReactorInput({ signal: controller.signal }), "part-delta"),
      "the first piece",
    );
    controller.abort(new Error("the turn was cancelled"));
    const { events, error } = await soon(options, rest(iterator), "the end after an abort");
    assert.ok(!events.some((event) => event.type === "finish"), "an aborted answer must not look finished");
    if (error !== undefined) assert.equal(HebraError.isInstance(error) && error.code, "ABORTED");
  },

  "an abort before the start gives no answer": async (options) => {
    const controller = new AbortController();
    controller.abort();
    const reactor = await options.create(() => ({ text: ["A piece."] }));
    const { events, error } = await soon(
      options,
      rest(reactor.react(createReactorInput({ signal: controller.signal }))[Symbol.asyncIterator]()),
      "the end after an abort",
    );
    assert.ok(!events.some((event) => event.type === "finish"), "an aborted answer must not look finished");
    if (error !== undefined) assert.equal(HebraError.isInstance(error) && error.code, "ABORTED");
  },

  "a consumer that leaves is not held up": async (options) => {
    const reactor = await options.create(() => ({ text: ["A piece."], then: "hang" }));
    const leave = async () => {
      for await (const event of reactor.react(createReactorInput())) if (event.type === "part-delta") break;
    };
    await soon(options, leave(), "leaving in the middle of an answer");
  },

  "a failure is thrown once, as a typed error, after what came before it": async (options) => {
    const reactor = await options.create(() => ({ text: ["A piece."], then: "fail" }));
    const events: ReactorEvent[] = [];
    await assert.rejects(
      async () => {
        for await (const event of checkEvents(reactor.react(createReactorInput()))) events.push(event);
      },
      (error) => {
        assert.ok(HebraError.isInstance(error), `foreign errors are wrapped by the reactor: ${String(error)}`);
        assert.notEqual(error.code, "REACTOR_PROTOCOL");
        assert.ok(!HebraError.isInstance(error.cause), "an error is wrapped once");
        return true;
      },
    );
    assert.equal(textOf(events, "text"), "A piece.");
    assert.ok(!events.some((event) => event.type === "finish"));
  },

  "a failure before any content is thrown too": async (options) => {
    const reactor = await options.create(() => ({ then: "fail" }));
    await assert.rejects(
      collect(reactor.react(createReactorInput())),
      (error) => HebraError.isInstance(error) && error.code !== "REACTOR_PROTOCOL",
    );
  },

  "a reactor that failed or was left answers the next step": async (options) => {
    let calls = 0;
    const reactor = await options.create(() => {
      calls++;
      return calls === 1
        ? { text: ["A piece."], then: "fail" }
        : calls === 2
          ? { text: ["A piece."], then: "hang" }
          : { text: ["Well again."] };
    });
    await assert.rejects(collect(reactor.react(createReactorInput())));
    const left = await soon(
      options,
      until(reactor, createReactorInput({ ids: { attempt: 2 } }), "part-delta"),
      "the second answer",
    );
    await soon(options, Promise.resolve(left.return?.()), "leaving the second answer");
    assert.equal(
      textOf(await collect(reactor.react(createReactorInput({ ids: { attempt: 3 } }))), "text"),
      "Well again.",
    );
  },
} satisfies Record<string, Clause>;
