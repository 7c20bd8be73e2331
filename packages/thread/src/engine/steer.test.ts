import { describe, expect, it } from "vitest";
import type { Reactor, ReactorInput } from "@hebra/reactor";
import { localLocks } from "@hebra/lock";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { createEngine } from "./engine.ts";
import { action, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";

const lines = (input: ReactorInput) =>
  input.transcript.map(
    ({ role, parts }) => `${role}: ${parts.map((part) => (part.kind === "text" ? part.text : part.kind)).join("+")}`,
  );

/** Answers with what it heard last; `onAsk` runs while it thinks. */
function listening(onAsk: (iteration: number) => Promise<unknown>): { reactor: Reactor; inputs: ReactorInput[] } {
  const inputs: ReactorInput[] = [];
  const reactor: Reactor = {
    contract: "reactor-v1",
    name: "listening",
    async *react(input) {
      inputs.push(input);
      await onAsk(inputs.length - 1);
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: `heard ${lines(input).at(-1)}` };
      yield { type: "part-end", partId: "p" };
      yield { type: "usage", usage: {} };
      yield { type: "finish", reason: "stop" };
    },
  };
  return { reactor, inputs };
}

describe("steer", () => {
  it("is heard by the running turn before its next step, at its place in the transcript", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let started = () => {};
    const running = new Promise<void>((resolve) => (started = resolve));
    const slow = action(async () => {
      started();
      await held;
      return "done";
    });
    const seen: string[][] = [];
    const definition = scripted(
      [
        { text: "Looking.", actions: [{ name: "slow", input: {} }] },
        (input) => {
          seen.push(lines(input));
          return { text: "Answer." };
        },
      ],
      { actions: { slow } },
    );
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await running;
    const second = await engine.react(definition, { id: "b", text: "b" }, { address, whenBusy: "steer" });
    expect(second.executionId).toBe(first.executionId);
    expect(second.duplicate).toBe(false);
    release();
    expect(await first.result).toMatchObject({ status: "completed", text: "Answer." });
    expect(seen).toEqual([["user: a", "assistant: Looking.+action", "user: b"]]);
    expect((await engine.react(definition, { id: "b", text: "b" }, { address })).duplicate).toBe(true);
    expect((await engine.history(address)).map(({ item }) => [item.kind, item.role])).toEqual([
      ["trigger", "user"],
      ["reaction", "assistant"],
      ["trigger", "user"],
    ]);
    await expectSettled(store);
  });

  it("keeps a turn from ending that was about to, however late it comes", async () => {
    const store = memoryStore();
    let speak: () => Promise<unknown> = () => Promise.resolve();
    // The words come in at the last moment: after the answer, in the middle of the write that ends the turn.
    const late = {
      ...store,
      commit: async (...args: Parameters<typeof store.commit>) => {
        const now = speak;
        speak = () => Promise.resolve();
        await now();
        return store.commit(...args);
      },
    };
    const { reactor, inputs } = listening(() => Promise.resolve());
    const definition = defineThread({ name: "test", reactor });
    const engine = createEngine({ store: late, threads: [definition], locks: localLocks() });
    const other = createEngine({ store, threads: [definition], locks: localLocks() });
    const address = { key: "customer-7" };
    speak = async () => {
      // Another process, which cannot get the lease, attaches its trigger.
      const snapshot = await store.load("default", address);
      const template = snapshot!.active!;
      await store.begin("default", {
        thread: snapshot!.thread,
        context: snapshot!.context,
        trigger: {
          v: 1,
          contextId: snapshot!.context.id,
          triggerId: "late",
          digest: "d",
          executionId: "late-execution",
          createdAt: 1,
        },
        execution: { ...template.execution, id: "late-execution", triggerId: "late", triggerItemId: "late-item" },
        items: [
          {
            ...template.items[0]!,
            id: "late-item",
            executionId: "late-execution",
            seq: null,
            content: [{ kind: "text", text: "wait!" }],
          },
        ],
        attachTo: template.execution.id,
      });
    };
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    expect(await turn.result).toMatchObject({ status: "completed", text: "heard user: wait!" });
    expect(inputs.map((input) => lines(input))).toEqual([
      ["user: a"],
      ["user: a", "assistant: heard user: a", "user: wait!"],
    ]);
    await expectSettled(store);
    await engine.close();
    await other.close();
  });

  it.each(["fails", "has no services"] as const)(
    "has its place in the history when the turn %s at that moment",
    async (what) => {
      const store = memoryStore();
      let speak: () => Promise<unknown> = () =>
        engine.enqueue(definition, { id: "late", text: "wait!" }, { address, whenBusy: "steer" });
      // The only commit is the one that ends the turn.
      const late: ThreadStore = {
        ...store,
        commit: async (...args) => {
          const now = speak;
          speak = () => Promise.resolve();
          await now();
          return store.commit(...args);
        },
      };
      let fail = () => {};
      const { reactor, inputs } = listening(
        () => new Promise((_, reject) => (fail = () => reject(new Error("The model gave up.")))),
      );
      const services = () => {
        if (what === "has no services") throw new Error("No connection.");
      };
      const definition = defineThread({ name: "test", reactor, services });
      const { engine, address } = setUp(definition, { store: late });
      const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
      if (what !== "has no services") await expect.poll(() => inputs.length).toBe(1);
      fail();
      expect((await turn.result).status).toBe("failed");
      await engine.idle();
      expect(
        (await engine.history(address)).map(({ item }) => [
          item.kind,
          item.content.map((part) => part.kind === "text" && part.text),
        ]),
      ).toEqual([
        ["trigger", ["a"]],
        ["reaction", []],
        ["trigger", ["wait!"]],
      ]);
      await expectSettled(store);
    },
  );

  it("has its place in the history when the turn is found to have been cut off too often", async () => {
    const store = memoryStore();
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const locks = localLocks();
    const first = createEngine({ store, threads: [definition], locks });
    const turn = await first.react(definition, { id: "a", text: "a" }, { address: { key: "customer-7" } });
    await gate.reached;
    await first.close();
    const second = createEngine({ store, threads: [definition], locks, maxAttempts: 1 });
    await second.enqueue(
      definition,
      { id: "late", text: "wait!" },
      { address: { key: "customer-7" }, whenBusy: "steer" },
    );
    await second.recover({ olderThanMs: -1 });
    await second.idle();
    expect((await store.execution("default", turn.executionId))?.execution.error?.code).toBe("ATTEMPTS_EXHAUSTED");
    expect((await second.history({ key: "customer-7" })).map(({ item }) => item.kind)).toEqual([
      "trigger",
      "reaction",
      "trigger",
    ]);
    await expectSettled(store);
    await second.close();
  });

  it("is a turn of its own when there is none to steer", async () => {
    const definition = scripted([{ text: "x" }], { policy: { whenBusy: "steer" } });
    const { engine, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await first.result;
    await engine.idle();
    const second = await engine.react(definition, { id: "b", text: "b" }, { address });
    expect(second.executionId).not.toBe(first.executionId);
    expect((await second.result).status).toBe("completed");
  });
});

describe("merge", () => {
  it("joins the turn that waits last in line", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor, policy: { whenBusy: "merge" } });
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await gate.reached;
    const turns = [];
    for (const id of ["b", "c", "d"]) turns.push(await engine.react(definition, { id, text: id }, { address }));
    expect(new Set(turns.map(({ executionId }) => executionId)).size).toBe(1);
    gate.open();
    await first.result;
    expect((await turns[2]!.result).status).toBe("completed");
    expect(lines(gate.inputs[1]!)).toEqual(["user: a", "assistant: partial", "user: b", "user: c", "user: d"]);
    expect(gate.inputs).toHaveLength(2);
    await expectSettled(store);
  });
});
