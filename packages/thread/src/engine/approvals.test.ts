import { describe, expect, it } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { memoryStore } from "../store/memory.ts";
import { createEngine } from "./engine.ts";
import { expectSettled, scripted, setUp } from "./engine.fixture.ts";

const pay = (log: unknown[]) =>
  defineAction({
    description: "Pays.",
    input: z.object({ amount: z.number().max(100) }),
    approval: true,
    execute: (input) => {
      log.push(input);
      return "paid";
    },
  });
const script = [{ actions: [{ name: "pay", input: { amount: 10 } }] }, { text: "Finished." }];

async function waiting(log: unknown[] = []) {
  const definition = scripted(script, { actions: { pay: pay(log) } });
  const { engine, store, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
  const { approvals } = await turn.result;
  await engine.idle();
  return { engine, store, turn, approvalId: approvals[0]!.id };
}

describe("an input that a person has corrected", () => {
  it("is refused at once when it does not fit, and the request stays open", async () => {
    const log: unknown[] = [];
    const { engine, store, turn, approvalId } = await waiting(log);
    await expect(engine.approve(approvalId, { input: { amount: 1_000 } })).rejects.toMatchObject({
      code: "ACTION_INPUT_INVALID",
      message: expect.stringContaining("amount") as string,
    });
    await expect(engine.approve(approvalId, { input: "ten" })).rejects.toMatchObject({ code: "ACTION_INPUT_INVALID" });
    expect((await store.approval("default", approvalId))?.status).toBe("pending");
    await engine.approve(approvalId, { input: { amount: 5 } });
    await engine.idle();
    expect((await store.execution("default", turn.executionId))?.execution.status).toBe("completed");
    expect(log).toEqual([{ amount: 5 }]);
    await expectSettled(store);
  });

  it("is checked again where it runs: from a process that does not know the action, the model is told", async () => {
    const log: unknown[] = [];
    const { engine, store, turn, approvalId } = await waiting(log);
    const woken: string[] = [];
    const stranger = createEngine({ store, threads: [], wake: ({ contextId }) => void woken.push(contextId) });
    await stranger.approve(approvalId, { input: { amount: 1_000 } });
    expect(woken).toEqual([turn.contextId]);
    await engine.resume({ key: "customer-7" });
    await engine.idle();
    const graph = (await store.execution("default", turn.executionId))!;
    expect(graph.execution.status).toBe("completed");
    expect(graph.calls).toMatchObject([{ status: "failed", error: { code: "ACTION_INPUT_INVALID" } }]);
    expect(log).toEqual([]);
    await expectSettled(store);
  });

  it("of an approval that is not there says so", async () => {
    const { engine } = setUp(scripted(script), { store: memoryStore() });
    await expect(engine.approve("none", { input: {} })).rejects.toMatchObject({ code: "APPROVAL_NOT_FOUND" });
  });
});
