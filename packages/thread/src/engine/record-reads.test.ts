import assert from "node:assert/strict";
import { describe, test } from "vitest";
import type { LoopPolicy } from "../definition/policy.ts";
import type { ActionEffect } from "../store/rows.ts";
import { memoryStore } from "../store/memory.ts";
import { faultyStore } from "../testing/faulty-store.ts";
import { action, createManualClock, expectSettled, scripted, setUp } from "./engine.fixture.ts";

const steps = (count: number, ...names: string[]) => [
  ...Array.from({ length: count }, (_, n) => ({ actions: names.map((name) => ({ name, input: { n } })) })),
  { text: "Done." },
];
const act = (effect: ActionEffect) => action(() => "done", { effect });

describe("a step of reads", () => {
  test.each<[LoopPolicy["recordReads"] & string, string[], number]>([
    ["at-once", ["look"], 2 * 3 + 1],
    ["with-results", ["look"], 3 + 1],
    ["with-results", ["look", "peek"], 3 + 1],
    ["with-results", ["look", "change"], 2 * 3 + 1],
    ["with-results", ["change"], 2 * 3 + 1],
  ])("recorded %s: three steps of %j take %i commits [PF-6]", async (recordReads, names, commits) => {
    const store = faultyStore(memoryStore(), []);
    const definition = scripted(steps(3, ...names), {
      policy: { recordReads },
      actions: { look: act("read"), peek: act("read"), change: act("write") },
    });
    const { engine, address } = setUp(definition, { store });
    const { status } = await (await engine.react(definition, { id: "1", text: "Go." }, { address })).result;
    assert.equal(status, "completed");
    assert.equal(store.calls.filter((call) => call === "commit").length, commits);
    await expectSettled(store);
    await engine.close();
  });

  for (const [recordReads, asked] of [
    ["at-once", 2],
    ["with-results", 3],
  ] as const)
    test(`recorded ${recordReads}: a process that ends while they run has the model asked ${asked} times in all [PF-6]`, async () => {
      const store = memoryStore();
      let questions = 0;
      let reached = (): void => {};
      const running = new Promise<void>((resolve) => (reached = resolve));
      let hangs = true;
      const look = action(
        () => {
          reached();
          return hangs ? new Promise(() => {}) : "seen";
        },
        { effect: "read" },
      );
      const definition = scripted(
        [() => (questions++, { actions: [{ name: "look", input: {} }] }), () => (questions++, { text: "Done." })],
        { policy: { recordReads }, actions: { look } },
      );
      const first = setUp(definition, { store, clock: createManualClock() });
      const turn = await first.engine.react(definition, { id: "1", text: "Go." }, { address: first.address });
      turn.result.catch(() => {});
      await running;
      await first.engine.close();
      hangs = false;
      const second = setUp(definition, { store });
      await second.engine.recover();
      assert.equal((await (await second.engine.follow(turn.executionId)).result).text, "Done.");
      assert.equal(questions, asked);
      await expectSettled(store);
      await second.engine.close();
    });

  test("that takes longer than the settle window is recorded before it ends [PF-6]", async () => {
    const clock = createManualClock();
    const store = memoryStore();
    let settle = (_: string): void => {};
    let reached = (): void => {};
    const running = new Promise<void>((resolve) => (reached = resolve));
    const look = action(
      () => {
        reached();
        return new Promise<string>((resolve) => (settle = resolve));
      },
      { effect: "read" },
    );
    const definition = scripted(steps(1, "look"), { policy: { recordReads: "with-results" }, actions: { look } });
    const { engine, address } = setUp(definition, { store, clock });
    const turn = await engine.react(definition, { id: "1", text: "Go." }, { address });
    await running;
    const recorded = async () =>
      (await store.execution("default", turn.executionId))!.calls.map(({ status }) => status);
    assert.deepEqual(await recorded(), []);
    await clock.advance(250);
    assert.deepEqual(await recorded(), ["running"]);
    settle("seen");
    assert.equal((await turn.result).status, "completed");
    await engine.close();
  });
});
