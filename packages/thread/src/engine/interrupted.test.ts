import { localLocks } from "@hebra/lock";
import type { ScriptedAction } from "@hebra/reactor";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Action } from "../definition/define-action.ts";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, scripted } from "./engine.fixture.ts";
import { createEngine } from "./engine.ts";
import { isOutcomeQuestion } from "./turn/outcome-question.ts";

/** A conversation whose payment was cut off by the end of its process, and an engine that found it. */
async function cutOff(
  over: Partial<Action<Record<string, unknown>, unknown>> = {},
  siblings: ScriptedAction[] = [{ name: "look", input: {} }],
) {
  const store = memoryStore();
  const locks = localLocks();
  const seen: unknown[] = [];
  let runs = 0;
  let started = () => {};
  const running = new Promise<void>((resolve) => (started = resolve));
  const pay = action(
    () => {
      runs++;
      started();
      return new Promise(() => {});
    },
    { whenInterrupted: "ask-person", output: z.object({ receipt: z.string() }), ...over },
  );
  const make = () =>
    scripted(
      [
        { actions: [{ name: "pay", input: { sum: 5 } }, ...siblings] },
        (input) => (seen.push(...(input.transcript.at(-1)?.parts ?? [])), { text: "Good." }),
      ],
      {
        actions: { pay, look: action(() => "seen", { effect: "read" }) },
      },
    );
  const first = createEngine({ store, threads: [make()], locks });
  const turn = await first.react("test", { id: "m1", text: "Pay." }, { address: { key: "customer-7" } });
  turn.result.catch(() => undefined);
  await running;
  await first.close();
  const engine = createEngine({ store, threads: [make()], locks });
  await engine.recover({ olderThanMs: -1 });
  await engine.idle();
  const waiting = await (await engine.follow(turn.executionId)).result;
  return {
    store,
    engine,
    turn,
    seen,
    waiting,
    runs: () => runs,
    call: async () => (await store.execution("default", turn.executionId))!.calls.find(({ name }) => name === "pay")!,
  };
}

it("a write that was cut off alone in its batch is put on record, and the model told", async () => {
  const { store, engine, seen, waiting: done, runs, call } = await cutOff({ whenInterrupted: "tell-model" }, []);
  expect(done).toMatchObject({ status: "completed", text: "Good." });
  expect(runs()).toBe(1);
  expect(await call()).toMatchObject({ status: "interrupted", error: { code: "ACTION_INTERRUPTED" } });
  expect(seen).toMatchObject([
    { name: "pay", status: "failed", error: expect.stringContaining("Whether it took effect is unknown") as string },
  ]);
  await expectSettled(store);
  await engine.close();
});

describe("a write that was cut off, of which a person is to say what became", () => {
  it("makes the turn wait, and counts as done when the person says so", async () => {
    const { store, engine, turn, seen, waiting, runs, call } = await cutOff();
    expect(waiting).toMatchObject({
      status: "waiting",
      approvals: [
        { status: "pending", reason: expect.stringContaining("Did it take effect?") as string, expiresAt: null },
      ],
    });
    expect(isOutcomeQuestion(waiting.approvals[0]!)).toBe(true);
    expect(await call()).toMatchObject({ status: "interrupted" });
    const asked = (await store.journal("default", turn.contextId, 0)).filter(
      ({ type }) => type === "approval-requested",
    );
    expect(asked).toMatchObject([{ data: { about: "outcome", name: "pay", input: { sum: 5 } } }]);

    const [question] = waiting.approvals;
    await expect(engine.approve(question!.id, { input: { sum: 6 } })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
    });
    await expect(engine.approve(question!.id, { output: { receipt: 7 } })).rejects.toMatchObject({
      code: "ACTION_OUTPUT_INVALID",
    });
    await engine.approve(question!.id, { by: "ana", output: { receipt: "r-1" } });
    await engine.idle();
    expect(await (await engine.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "Good." });
    expect(await call()).toMatchObject({ status: "succeeded", output: { receipt: "r-1" }, error: null });
    expect(seen).toMatchObject([
      { name: "pay", status: "succeeded", output: { receipt: "r-1" } },
      { name: "look", status: "succeeded" },
    ]);
    expect(seen[0]).not.toHaveProperty("error");
    expect(runs()).toBe(1);
    await expectSettled(store);
    await engine.close();
  });

  it("counts as failed when the person says that it did not take effect", async () => {
    const { store, engine, turn, seen, waiting, runs, call } = await cutOff();
    await engine.deny(waiting.approvals[0]!.id, { comment: "the bank knows nothing of it" });
    await engine.idle();
    expect(await (await engine.follow(turn.executionId)).result).toMatchObject({ status: "completed" });
    expect(await call()).toMatchObject({ status: "failed", error: { code: "ACTION_INTERRUPTED" } });
    expect(seen[0]).toMatchObject({
      name: "pay",
      status: "failed",
      error: expect.stringContaining("the bank knows nothing of it") as string,
    });
    expect(runs()).toBe(1);
    await expectSettled(store);
    await engine.close();
  });

  it("leaves no question open when the turn is cancelled instead", async () => {
    const { store, engine, turn, call } = await cutOff();
    await engine.cancel(turn.executionId);
    await engine.idle();
    expect((await store.execution("default", turn.executionId))!.execution.status).toBe("cancelled");
    expect(await call()).toMatchObject({ status: "interrupted" });
    expect((await store.execution("default", turn.executionId))!.approvals).toMatchObject([{ status: "cancelled" }]);
    await expectSettled(store);
    await engine.close();
  });

  it("is found by whoever comes when the process ends between the answer and its being heard", async () => {
    const { store, engine, turn, waiting, call } = await cutOff();
    await engine.close();
    await store.decideApproval("default", waiting.approvals[0]!.id, {
      decision: "approved",
      editedInput: { receipt: "r-2" },
      at: 1,
    });
    const late = createEngine({
      store,
      threads: [scripted([{ actions: [] }, { text: "Good." }], { actions: { pay: action(() => 1) } })],
      locks: localLocks(),
    });
    await late.recover();
    await late.idle();
    expect(await (await late.follow(turn.executionId)).result).toMatchObject({ status: "completed" });
    expect(await call()).toMatchObject({ status: "succeeded", output: { receipt: "r-2" } });
    await expectSettled(store);
    await late.close();
  });

  it("asks nobody for what may run again", async () => {
    let again = false;
    const { engine, turn } = await (async () => {
      const store = memoryStore();
      const locks = localLocks();
      let started = () => {};
      const running = new Promise<void>((resolve) => (started = resolve));
      const put = action(() => (again ? "put" : (started(), new Promise(() => {}))), {
        effect: "idempotent",
        whenInterrupted: "ask-person",
      });
      const make = () => scripted([{ actions: [{ name: "put", input: {} }] }, { text: "Done." }], { actions: { put } });
      const first = createEngine({ store, threads: [make()], locks });
      const turn = await first.react("test", { id: "m1", text: "Put." }, { address: { key: "customer-7" } });
      await running;
      await first.close();
      again = true;
      return { engine: createEngine({ store, threads: [make()], locks }), turn };
    })();
    await engine.recover({ olderThanMs: -1 });
    await engine.idle();
    expect(await (await engine.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "Done." });
    await engine.close();
  });
});
