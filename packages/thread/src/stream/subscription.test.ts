import { describe, expect, it } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { deferred, gatedReactor, setUp } from "../engine/engine.fixture.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { isDurable, type ThreadEvent } from "./envelope.ts";

describe("a reader of a running turn", () => {
  it("is told what was before it came at once, and everything in order", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, address } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "go" }, { address });
    await gate.reached;
    const events: ThreadEvent[] = [];
    for await (const event of turn.stream) {
      events.push(event);
      // Nothing more happens until the reader has seen the beginning.
      if (event.type === "step-started") gate.open();
    }
    const seqs = events.filter(isDurable).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(events.slice(0, 5).map(({ type }) => type)).toEqual([
      "context-created",
      "item-created",
      "item-created",
      "execution-started",
      "step-started",
    ]);
    expect(events.at(-1)?.type).toBe("execution-ended");
  });

  it("gets an event once, though it comes from the process and from a slow journal", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const inner = memoryStore();
    const ended = deferred();
    const journal: ThreadStore["journal"] = async (...where) => {
      await ended.promise;
      return inner.journal(...where);
    };
    const { engine, address } = setUp(definition, { store: { ...inner, journal } });
    const turn = await engine.react(definition, { id: "a", text: "go" }, { address });
    const seqs: number[] = [];
    const reading = (async () => {
      for await (const event of turn.stream) if (isDurable(event)) seqs.push(event.seq);
    })();
    await gate.reached;
    gate.open();
    await turn.result;
    ended.resolve();
    await reading;
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(seqs.length).toBeGreaterThan(6);
  });
});
