import { describe, expect, it } from "vitest";
import { scriptedReactor } from "@hebra/reactor";
import { localLocks } from "@hebra/lock";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { createEngine } from "./engine.ts";
import { action, createManualClock, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";

const text = (input: { transcript: readonly { role: string; parts: readonly object[] }[] }) =>
  input.transcript.map(
    ({ role, parts }) => `${role}:${parts.map((part) => ("text" in part ? String(part.text) : "?")).join("+")}`,
  );

describe("a trigger that finds its thread busy", () => {
  it("waits, and is heard in the order of arrival", async () => {
    const definition = scripted([(input) => ({ text: `re ${text(input).at(-1)}` })]);
    const { engine, store, address } = setUp(definition);
    const turns = [];
    for (let i = 0; i < 12; i++) turns.push(engine.react(definition, { id: `m${i}`, text: `t${i}` }, { address }));
    const results = await Promise.all((await Promise.all(turns)).map(({ result }) => result));
    expect(results.map((result) => result.text)).toEqual(Array.from({ length: 12 }, (_, i) => `re user:t${i}`));
    const history = await engine.history(address, { items: 100 });
    expect(
      history.map(({ item, parts }) => (item.kind === "trigger" ? item.content[0] : parts[0]?.content)),
    ).toMatchObject(Array.from({ length: 12 }, (_, i) => [{ text: `t${i}` }, { text: `re user:t${i}` }]).flat());
    await expectSettled(store);
  });

  it("runs beside other threads", async () => {
    const gate = gatedReactor();
    const slow = defineThread({ name: "slow", reactor: gate.reactor });
    const { engine } = setUp(slow);
    const first = await engine.react(slow, { id: "a", text: "a" }, { address: { key: "one" } });
    await gate.reached;
    const second = await engine.react(slow, { id: "a", text: "a" }, { address: { key: "two" } });
    expect(second.executionId).not.toBe(first.executionId);
    gate.open();
    expect((await first.result).status).toBe("completed");
    expect((await second.result).status).toBe("completed");
  });

  it("is refused where the policy says so, and nothing is written", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor, policy: { whenBusy: "reject" } });
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await gate.reached;
    await expect(engine.react(definition, { id: "b", text: "b" }, { address })).rejects.toMatchObject({
      code: "THREAD_BUSY",
      retryable: true,
    });
    expect((await engine.react(definition, { id: "a", text: "a" }, { address })).duplicate).toBe(true);
    gate.open();
    await first.result;
    await engine.idle();
    const bundle = await store.export("default", first.contextId);
    expect(bundle?.executions).toHaveLength(1);
    await expectSettled(store);
  });

  it("cuts off the running turn where the policy says so; what was answered is kept", async () => {
    const gate = gatedReactor("so far");
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await gate.reached;
    const second = await engine.react(definition, { id: "b", text: "b" }, { address, whenBusy: "interrupt" });
    expect(await first.result).toMatchObject({ status: "cancelled", parts: [{ kind: "text", text: "so far" }] });
    gate.open();
    expect((await second.result).status).toBe("completed");
    expect(text(gate.inputs[1]!)).toEqual(["user:a", "assistant:so far", "user:b"]);
    await expectSettled(store);
  });
});

describe("cancel", () => {
  it("reaches a running action through its signal, from another engine on the same store", async () => {
    const store = memoryStore();
    let aborted = false;
    let started = () => {};
    const running = new Promise<void>((resolve) => (started = resolve));
    const slow = action(
      (_input, { signal }) =>
        new Promise((_, reject) => {
          started();
          signal.addEventListener("abort", () => {
            aborted = true;
            reject(signal.reason as Error);
          });
        }),
    );
    const definition = scripted([{ text: "Working.", actions: [{ name: "slow", input: {} }] }], { actions: { slow } });
    const locks = localLocks();
    const one = setUp(definition, { store, locks });
    const two = setUp(definition, { store, locks });
    const turn = await one.engine.react(definition, { id: "a", text: "a" }, { address: one.address });
    await running;
    await two.engine.cancel(turn.executionId, { by: "operator", reason: "wrong order" });
    expect(await turn.result).toMatchObject({
      status: "cancelled",
      parts: [{ text: "Working." }, { status: "failed", error: expect.stringContaining("may have taken effect") }],
    });
    expect(aborted).toBe(true);
    await expectSettled(store);
    await one.engine.close();
    await two.engine.close();
  });

  it("ends a turn that has not begun", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    const second = await engine.react(definition, { id: "b", text: "b" }, { address });
    await engine.cancel(second.executionId);
    gate.open();
    expect((await first.result).status).toBe("completed");
    expect((await second.result).status).toBe("cancelled");
    expect(gate.inputs).toHaveLength(1);
    await expectSettled(store);
  });

  it("follows the caller's signal", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, address } = setUp(definition);
    const controller = new AbortController();
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address, signal: controller.signal });
    await gate.reached;
    controller.abort();
    expect((await turn.result).status).toBe("cancelled");
  });
});

describe("an approval", () => {
  const pay = (log: unknown[]) =>
    action(
      (input) => {
        log.push(input);
        return { paid: input["amount"] };
      },
      { approval: { reason: "Money leaves the house.", expiresInMs: 60_000 } },
    );
  const script = [
    {
      actions: [
        { name: "pay", input: { amount: 10 } },
        { name: "look", input: {} },
      ],
    },
    { text: "Finished." },
  ];

  it("does not hold up its siblings, and lets the call run when a person agrees, in another process after a restart", async () => {
    const store = memoryStore();
    const log: unknown[] = [];
    const make = () => scripted(script, { actions: { pay: pay(log), look: action(() => "seen") } });
    const first = setUp(make(), { store });
    const turn = await first.engine.react("test", { id: "a", text: "a" }, { address: first.address });
    const waiting = await turn.result;
    expect(waiting).toMatchObject({
      status: "waiting",
      approvals: [{ reason: "Money leaves the house.", status: "pending" }],
      parts: [{ name: "pay" }, { name: "look", status: "succeeded" }],
    });
    expect(log).toEqual([]);
    await first.engine.close();

    const second = setUp(make(), { store });
    await second.engine.approve(waiting.approvals[0]!.id, { by: "ana" });
    await second.engine.approve(waiting.approvals[0]!.id, { by: "ana" });
    await second.engine.idle();
    expect(await (await second.engine.follow(turn.executionId)).result).toMatchObject({
      status: "completed",
      text: "Finished.",
    });
    expect(log).toEqual([{ amount: 10 }]);
    await expect(second.engine.deny(waiting.approvals[0]!.id)).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
    await expectSettled(store);
  });

  it("may correct the input, and tells the model when it is denied or nobody answers", async () => {
    for (const [decide, expected] of [
      ["edit", { status: "succeeded", output: { paid: 5 }, input: { amount: 5 } }],
      ["deny", { status: "failed", error: "A person denied this call: too much" }],
      ["expire", { status: "failed", error: expect.stringContaining("Nobody consented") }],
    ] as const) {
      const log: unknown[] = [];
      const clock = createManualClock();
      const definition = scripted(script, { actions: { pay: pay(log), look: action(() => "seen") } });
      const { engine, store, address } = setUp(definition, { clock, locks: localLocks() });
      const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
      const { approvals } = await turn.result;
      await engine.idle();
      if (decide === "edit") await engine.approve(approvals[0]!.id, { input: { amount: 5 } });
      if (decide === "deny") await engine.deny(approvals[0]!.id, { comment: "too much" });
      if (decide === "expire") await clock.advance(60_001);
      await engine.idle();
      const result = await (await engine.follow(turn.executionId)).result;
      expect(result).toMatchObject({ status: "completed", text: "Finished." });
      expect(result.parts[0]).toMatchObject(expected);
      await expectSettled(store);
      await engine.close();
    }
  });

  it("keeps later triggers in line until it is decided", async () => {
    const definition = scripted([...script, { text: "Second." }], {
      actions: { pay: pay([]), look: action(() => "seen") },
    });
    const { engine, store, address } = setUp(definition);
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    const { approvals } = await first.result;
    const second = await engine.react(definition, { id: "b", text: "b" }, { address });
    await engine.idle();
    expect((await store.execution("default", second.executionId))?.execution.status).toBe("queued");
    await engine.deny(approvals[0]!.id);
    expect((await (await engine.follow(first.executionId)).result).status).toBe("completed");
    await second.result;
    await engine.idle();
  });
});

describe("a process that goes away", () => {
  it("leaves its turn to the next, which repeats what may be repeated and nothing else", async () => {
    const store = memoryStore();
    const runs: string[] = [];
    let hang = true;
    const step = (name: string, effect: "read" | "write", hangs: boolean) =>
      action(
        (_input, { idempotencyKey, attempt }) => {
          runs.push(`${name} ${attempt} ${idempotencyKey}`);
          return hangs && hang ? new Promise(() => {}) : name;
        },
        { effect },
      );
    const seen: unknown[] = [];
    const make = () =>
      defineThread({
        name: "test",
        reactor: scriptedReactor({
          steps: [
            {
              text: "Three things.",
              actions: [
                { name: "done", input: {} },
                { name: "read", input: {} },
                { name: "write", input: {} },
              ],
            },
            (input) => {
              seen.push(...input.transcript.at(-1)!.parts);
              return { text: "Recovered." };
            },
          ],
        }),
        actions: {
          done: step("done", "write", false),
          read: step("read", "read", true),
          write: step("write", "write", true),
        },
      });
    const locks = localLocks();
    const first = createEngine({ store, threads: [make()], locks, settleWindowMs: 1 });
    const turn = await first.react("test", { id: "a", text: "a" }, { address: { key: "customer-7" } });
    turn.result.catch(() => undefined);
    for await (const event of turn.stream) if (event.type === "call-changed") break;
    const closing = first.close();
    await expect(turn.result).rejects.toMatchObject({ code: "CLOSED" });
    await closing;
    hang = false;

    const second = createEngine({ store, threads: [make()], locks });
    expect(await second.recover({ olderThanMs: 0 })).toBe(1);
    await second.idle();
    expect(await (await second.follow(turn.executionId)).result).toMatchObject({
      status: "completed",
      text: "Recovered.",
    });
    expect(runs.map((run) => run.split(" ").slice(0, 2).join(" "))).toEqual(["done 1", "read 1", "write 1", "read 2"]);
    expect(new Set(runs.filter((run) => run.startsWith("read")).map((run) => run.split(" ")[2])).size).toBe(1);
    expect(seen).toMatchObject([
      { kind: "text" },
      { name: "done", status: "succeeded" },
      { name: "read", status: "succeeded", output: "read" },
      { name: "write", status: "failed", error: expect.stringContaining("Whether it took effect is unknown") },
    ]);
    await expectSettled(store);
  });

  it("and comes back late is refused: its writes carry an older fence", async () => {
    const store = memoryStore();
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    // Two lock managers that know nothing of each other: what a process that slept through its lease amounts to.
    const old = createEngine({ store, threads: [definition], locks: localLocks() });
    const turn = await old.react(definition, { id: "a", text: "a" }, { address: { key: "customer-7" } });
    await gate.reached;
    const fresh = createEngine({ store, threads: [scripted([{ text: "Taken over." }])], locks: localLocks() });
    await fresh.resume({ key: "customer-7" });
    await fresh.idle();
    gate.open();
    await expect(turn.result).rejects.toMatchObject({
      code: expect.stringMatching(/STALE_FENCE|VERSION_CONFLICT/) as string,
    });
    expect(await (await fresh.follow(turn.executionId)).result).toMatchObject({
      status: "completed",
      text: "Taken over.",
    });
    await expectSettled(store);
    await old.close();
    await fresh.close();
  });

  it("again and again, is not resumed for ever", async () => {
    const store = memoryStore();
    const locks = localLocks();
    const hanging = defineThread({ name: "test", reactor: gatedReactor().reactor });
    const first = createEngine({ store, threads: [hanging], locks, maxAttempts: 3 });
    const turn = await first.react(hanging, { id: "a", text: "a" }, { address: { key: "customer-7" } });
    turn.result.catch(() => undefined);
    await first.close();
    for (let i = 0; i < 3; i++) {
      const gate = gatedReactor();
      const next = createEngine({
        store,
        threads: [defineThread({ name: "test", reactor: gate.reactor })],
        locks,
        maxAttempts: 3,
      });
      await next.recover({ olderThanMs: 0 });
      if (i < 2) await gate.reached;
      else await next.idle();
      await next.close();
    }
    const graph = await store.execution("default", turn.executionId);
    expect(graph?.execution).toMatchObject({ status: "failed", error: { code: "ATTEMPTS_EXHAUSTED" } });
    await expectSettled(store);
  });
});
