import { systemClock } from "@hebra/core";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { action, expectSettled, scripted, setUp } from "../engine/engine.fixture.ts";
import { createEngine } from "../engine/engine.ts";
import { memoryStore } from "../store/memory.ts";
import type { ContextBundle, ThreadStore } from "../store/store.ts";
import { faultyStore, type StoreFault } from "./faulty-store.ts";

/** Time that stands still for the rows and passes for the timers, so that two runs give the same rows. */
const clock = { ...systemClock, now: () => 1_767_225_600_000 };
const address = { key: "customer-7" };
const triggers = [
  { id: "m1", text: "Do it." },
  { id: "m2", text: "And this." },
];

/**
 * Three answers, actions of every class beside each other, a change of state. @param ran - one entry for each run of an
 * action
 */
function definition(ran: string[]) {
  const run = (name: string, effect: "read" | "idempotent" | "write") =>
    action(
      (_input, { idempotencyKey }) => {
        ran.push(`${name} ${idempotencyKey}`);
        return withState(name, { [name]: true });
      },
      { effect },
    );
  return scripted(
    [
      {
        text: "Two things.",
        actions: [
          { name: "look", input: {} },
          { name: "keep", input: {} },
        ],
      },
      { text: "One more.", actions: [{ name: "send", input: {} }] },
      { text: "Done." },
    ],
    {
      state: z.record(z.string(), z.boolean()),
      initialState: {},
      actions: { look: run("look", "read"), keep: run("keep", "idempotent"), send: run("send", "write") },
    },
  );
}

/** What the rows say, without how often somebody began anew. */
function told(bundle: ContextBundle): unknown {
  const plain = JSON.parse(JSON.stringify(bundle)) as ContextBundle;
  return {
    ...plain,
    context: { ...plain.context, fence: 0 },
    executions: plain.executions.map((row) => ({ ...row, attempt: 0 })),
    steps: plain.steps.map((row) => ({ ...row, attempt: 0 })),
    journal: undefined,
  };
}

/** Delivers both triggers as a bus does: again, until they were taken. Then lets what was cut off be found. */
async function play(store: ThreadStore): Promise<{ ran: string[]; bundle: ContextBundle }> {
  const ran: string[] = [];
  const engine = createEngine({ store, threads: [definition(ran)], clock, random: () => 0 });
  for (const trigger of triggers) {
    for (let attempt = 1; ; attempt++) {
      try {
        const turn = await engine.react("test", trigger, { address });
        turn.result.catch(() => undefined);
        await engine.idle();
        break;
      } catch (error) {
        if (attempt > 3) throw error;
      }
    }
    await engine.recover({ olderThanMs: -1 });
    await engine.idle();
  }
  const found = await store.load("default", address);
  const bundle = await store.export("default", found!.context.id);
  await engine.close();
  await expectSettled(store);
  return { ran, bundle: bundle! };
}

describe("an engine over a store that fails once", async () => {
  const clean = faultyStore(memoryStore(), []);
  const expected = await play(clean);
  const writes = clean.calls.filter((verb) => verb === "begin" || verb === "commit").length;

  it("writes begin + one for each answer and batch", () => {
    expect(writes).toBe(12);
    expect(expected.bundle.executions.map(({ status }) => status)).toEqual(["completed", "completed"]);
  });

  const points = Array.from({ length: 12 }, (_, i) =>
    (["before", "after"] as const).map((mode) => ({ at: i + 1, mode })),
  ).flat();
  it.each(points)("at write $at, $mode it: the same rows, each action once", async (fault) => {
    const store = faultyStore(memoryStore(), fault);
    const { ran, bundle } = await play(store);
    expect(store.struck).toHaveLength(1);
    expect(told(bundle)).toEqual(told(expected.bundle));
    expect(ran).toEqual(expected.ran);
  });

  const reads = [
    { verb: "load", at: 1 },
    { verb: "load", at: 2 },
    { verb: "history", at: 1 },
    { verb: "history", at: 2 },
  ] as const;
  it.each(reads)("at $verb $at: a turn that can be resumed, and is", async ({ verb, at }) => {
    const store = faultyStore(memoryStore(), { verb, at, mode: "before" });
    const { bundle, ran } = await play(store);
    expect(store.struck).toEqual([`${verb} ${at} before`]);
    expect(bundle.executions).toHaveLength(2);
    expect(new Set(ran).size).toBe(ran.length);
  });
});

describe("an engine over a store that goes on failing", () => {
  const outages: StoreFault[] = [
    { verb: "commit", at: 1, times: 100, mode: "before" },
    { verb: "commit", at: 3, times: 100, mode: "before" },
  ];
  it.each(outages)(
    "from commit $at on, $mode: leaves the turn in the store, and another process ends it",
    async (outage) => {
      const data = memoryStore();
      const ran: string[] = [];
      const broken = createEngine({
        store: faultyStore(data, outage),
        threads: [definition(ran)],
        clock,
        random: () => 0,
      });
      const turn = await broken.react("test", triggers[0]!, { address });
      const left = expect(turn.result).rejects.toMatchObject({ code: "CLOSED" });
      await broken.close();
      await left;
      const sound = createEngine({ store: data, threads: [definition(ran)], clock, recoverEveryMs: false });
      expect(await sound.recover({ olderThanMs: -1 })).toBe(1);
      await sound.idle();
      expect(await (await sound.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "Done." });
      expect(ran.filter((one) => one.startsWith("send"))).toHaveLength(1);
      await expectSettled(data);
      await sound.close();
    },
  );
});

describe("an engine over a store whose every answer is lost", () => {
  it("sees by the sequence and its own fence that each write has landed", async () => {
    const store = faultyStore(memoryStore(), { verb: "commit", at: 1, times: 100, mode: "after" });
    const { ran, bundle } = await play(store);
    expect(bundle.executions.map(({ status, attempt }) => [status, attempt])).toEqual([
      ["completed", 1],
      ["completed", 1],
    ]);
    expect(ran).toHaveLength(6);
  });
});

describe("a holder whose write stalls until another has taken over", () => {
  it("is refused when the write comes through at last", async () => {
    const data = memoryStore();
    const ran: string[] = [];
    const slow = faultyStore(data, { verb: "commit", at: 2, mode: "stall" });
    const old = createEngine({ store: slow, threads: [definition(ran)], clock });
    const turn = await old.react("test", triggers[0]!, { address });
    turn.result.catch(() => undefined);
    await slow.stalled;
    const fresh = createEngine({ store: data, threads: [definition(ran)], clock });
    await fresh.resume(address);
    await fresh.idle();
    const before = await data.export("default", turn.contextId);
    slow.release();
    await expect(turn.result).rejects.toMatchObject({
      code: expect.stringMatching(/STALE_FENCE|VERSION_CONFLICT/) as string,
    });
    expect(await data.export("default", turn.contextId)).toEqual(before);
    expect(before?.executions).toMatchObject([{ status: "completed" }]);
    await expectSettled(data);
    await old.close();
    await fresh.close();
  });
});

describe("faultyStore", () => {
  it("refuses a fault before the first call", () => {
    expect(() => faultyStore(memoryStore(), { at: 0, mode: "before" })).toThrow(/from 1 on/);
  });

  it("is seen by an engine as a failed delivery, when begin fails", async () => {
    const { engine } = setUp(scripted([{ text: "x" }]), {
      store: faultyStore(memoryStore(), { verb: "begin", at: 1, mode: "before" }),
    });
    await expect(engine.react("test", triggers[0]!, { address })).rejects.toMatchObject({
      code: "STORE_FAILED",
      retryable: true,
    });
    expect(await (await engine.react("test", triggers[0]!, { address })).result).toMatchObject({ text: "x" });
  });
});
