import { describe, expect, it } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import type { ThreadStore } from "../store/store.ts";
import { gatedReactor, setUp } from "./engine.fixture.ts";

async function rows(store: ThreadStore) {
  const { context } = (await store.load("default", { key: "customer-7" }))!;
  const bundle = (await store.export("default", context.id))!;
  expect(verifyGraph(bundle, { settled: true })).toEqual([]);
  return {
    turns: Object.fromEntries(bundle.executions.map(({ triggerId, status }) => [triggerId, status])),
    triggers: Object.fromEntries(bundle.triggers!.map(({ triggerId, executionId }) => [triggerId, executionId])),
  };
}

/** A turn that is in the middle of its answer. */
async function begun() {
  const gate = gatedReactor("Hello.");
  const definition = defineThread({ name: "test", reactor: gate.reactor });
  const made = setUp(definition);
  const { engine, address } = made;
  const say = (id: string, whenBusy: "queue" | "merge" | "steer" = "queue", signal?: AbortSignal) =>
    engine.react(definition, { id, text: id }, { address, whenBusy, ...(signal && { signal }) });
  const first = await say("a");
  await gate.reached;
  return { ...made, definition, gate, say, first };
}

describe("cancelling one message", () => {
  it("cancels what it began; a message that was steered into it goes on as a turn of its own [EN-9]", async () => {
    const { engine, store, gate, say, first } = await begun();
    const second = await say("b", "steer");
    expect(second.executionId).toBe(first.executionId);
    await engine.cancel(first.executionId);
    expect((await first.result).status).toBe("cancelled");
    gate.open();
    expect(await second.result).toMatchObject({ status: "completed", text: "Hello." });
    const again = await say("b");
    expect(again.duplicate).toBe(true);
    expect(again.executionId).not.toBe(first.executionId);
    const heard = gate.inputs
      .at(-1)!
      .transcript.filter(({ role }) => role === "user")
      .map(({ parts }) => parts.map((part) => "text" in part && part.text));
    expect(heard).toEqual([["a"], ["b"]]);
    await engine.idle();
    expect((await rows(store)).turns).toEqual({ a: "cancelled", b: "completed" });
    await engine.close();
  });

  it("while it waits in line leaves those that were merged into it, each with its own turn [EN-9]", async () => {
    const { engine, store, gate, say, first } = await begun();
    const second = await say("b");
    const third = await say("c", "merge");
    const fourth = await say("d", "merge");
    expect([third.executionId, fourth.executionId]).toEqual([second.executionId, second.executionId]);
    await engine.cancel(second.executionId);
    gate.open();
    expect((await first.result).status).toBe("completed");
    expect((await second.result).status).toBe("cancelled");
    expect((await third.result).status).toBe("completed");
    expect((await fourth.result).status).toBe("completed");
    await engine.idle();
    const { turns, triggers } = await rows(store);
    expect(turns).toEqual({ a: "completed", b: "cancelled", c: "completed", d: "completed" });
    expect(new Set(Object.values(triggers)).size).toBe(4);
    await engine.close();
  });

  it("takes those that joined it along when that is asked for, as cancelling a conversation does [EN-9]", async () => {
    const { engine, store, definition, address, say, first } = await begun();
    const second = await say("b", "steer");
    const third = await say("c");
    const fourth = await say("d", "merge");
    await engine.cancel(first.executionId);
    expect(await engine.thread(definition, address).cancel()).toBe(2);
    for (const { result } of [first, second, third, fourth]) expect((await result).status).toBe("cancelled");
    await engine.idle();
    expect((await rows(store)).turns).toEqual({ a: "cancelled", c: "cancelled" });
    await engine.close();
  });

  it("by the signal of one that joined a turn leaves that turn alone [EN-9]", async () => {
    const { engine, gate, say, first } = await begun();
    const stop = new AbortController();
    await say("b", "steer", stop.signal);
    stop.abort();
    gate.open();
    expect((await first.result).status).toBe("completed");
    await engine.close();
  });
});
