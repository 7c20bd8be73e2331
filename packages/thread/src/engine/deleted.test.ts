import { describe, expect, it } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { gatedReactor, setUp } from "./engine.fixture.ts";

describe("a conversation that is deleted while its turn runs", () => {
  it("stops the model at once, is nobody's to resume, and begins anew with the next message", async () => {
    const gate = gatedReactor("Hello.");
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, store, address } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const waiting = await engine.react(definition, { id: "b", text: "b" }, { address });
    const ended = Promise.allSettled([turn.result, waiting.result]);
    await gate.reached;
    await store.deleteThread("default", address);
    for (const outcome of await ended)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "EXECUTION_NOT_FOUND" } });
    expect(gate.inputs[0]!.signal.aborted).toBe(true);
    await engine.idle();
    expect(await store.load("default", address)).toBeUndefined();
    expect(await engine.health()).toMatchObject({ status: "ok", stuck: [], active: 0 });

    gate.open();
    const again = await engine.react(definition, { id: "a", text: "a" }, { address });
    expect(again.duplicate).toBe(false);
    expect(await again.result).toMatchObject({ status: "completed", text: "Hello." });
    expect(await engine.history(address)).toHaveLength(2);
    await engine.close();
  });
});
