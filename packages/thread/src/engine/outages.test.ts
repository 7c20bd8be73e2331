import assert from "node:assert/strict";
import { createManualClock, HebraError } from "@hebra/core";
import { localLocks, type Lease, type LockManager } from "@hebra/lock";
import { describe, expect, test } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { createEngine } from "./engine.ts";
import { action, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";
import { flakyStore } from "./outages.fixture.ts";

const address = { key: "customer-7" };
const clocked = () => {
  const clock = createManualClock();
  return { clock, random: () => 0.5, locks: localLocks({ clock }) };
};

/** Lets time pass until something is done. */
async function settle<T>({ advance }: { advance(ms: number): Promise<void> }, work: Promise<T>): Promise<T> {
  let done = false;
  const over = work.finally(() => (done = true));
  over.catch(() => undefined);
  for (let i = 0; i < 300 && !done; i++) await advance(100);
  assert.equal(done, true, "it settles");
  return over;
}

describe("while the store is away", () => {
  test("a turn that runs goes on when it is back, and asks nobody twice [EN-4]", async () => {
    const store = flakyStore(memoryStore());
    const over = clocked();
    let asked = 0;
    const definition = scripted(
      [
        () => {
          asked++;
          store.down();
          return { text: "Looking.", actions: [{ name: "look", input: {} }] };
        },
        () => (asked++, { text: "Done." }),
      ],
      { actions: { look: action(() => "seen", { effect: "write" }) } },
    );
    const { engine } = setUp(definition, { store, ...over });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    await over.clock.advance(3_000);
    store.up();
    const { status, text } = await settle(over.clock, turn.result);
    assert.deepEqual([status, text, asked], ["completed", "Done.", 2]);
    await expectSettled(store);
    await engine.close();
  });

  test("a message that waits in line runs when it is back, without `recover` [EN-4]", async () => {
    const store = flakyStore(memoryStore());
    const over = clocked();
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine } = setUp(definition, { store, ...over });
    const first = await engine.react(definition, { id: "a", text: "a" }, { address });
    await gate.reached;
    const second = await engine.react(definition, { id: "b", text: "b" }, { address });
    store.down();
    gate.open();
    await over.clock.advance(20_000);
    assert.equal((await engine.health()).status, "degraded");
    store.up();
    assert.equal((await settle(over.clock, first.result)).status, "completed");
    assert.equal((await settle(over.clock, second.result)).status, "completed");
    assert.deepEqual((await engine.health()).stuck, []);
    await engine.close();
  });

  test("a decision that was stored wakes its turn, though nobody could be woken at once [EN-4]", async () => {
    const store = flakyStore(memoryStore());
    const over = clocked();
    const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Sent." }], {
      actions: { send: action(() => "sent", { approval: true }) },
    });
    const engine = createEngine({ store, threads: [definition], ...over });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const { approvals } = await settle(over.clock, turn.result);
    store.fail("load", 1);
    await engine.approve(approvals[0]!.id);
    const result = await settle(over.clock, (await engine.follow(turn.executionId)).result);
    assert.equal(result.text, "Sent.");
    await engine.close();
  });

  for (const verb of ["history", "load", "takeOver"] as const)
    test(`a turn does not fail because ${verb} failed at its start [EN-5]`, async () => {
      const store = flakyStore(memoryStore());
      const over = clocked();
      let asked = 0;
      const definition = scripted([() => (asked++, { text: "Hi." })]);
      const { engine } = setUp(definition, { store, ...over });
      await engine.enqueue(definition, { id: "a", text: "a" }, { address });
      store.fail(verb, 7);
      const resumed = engine.recover();
      const result = await settle(
        over.clock,
        resumed.then(async () => (await engine.follow((await idOf(store))!)).result),
      );
      assert.deepEqual([result.status, asked], ["completed", 1]);
      await engine.close();
    });
});

async function idOf(store: ReturnType<typeof flakyStore>): Promise<string | undefined> {
  for await (const { bundle } of store.system().export()) return bundle.executions[0]?.id;
  return undefined;
}

test("a turn whose lease is lost while it begins is resumed, and its handles settle [EN-7]", async () => {
  const under = memoryStore();
  const over = clocked();
  const lives: AbortController[] = [];
  const locks: LockManager = {
    ...over.locks,
    async acquire(key, options) {
      const lease = await over.locks.acquire(key, options);
      const life = new AbortController();
      lives.push(life);
      return { ...lease, key, fence: lease.fence, signal: life.signal, release: () => lease.release() } as Lease;
    },
  };
  let [reached, open] = [() => {}, () => {}];
  const begun = new Promise<void>((resolve) => (reached = resolve));
  const gate = new Promise<void>((resolve) => (open = resolve));
  const store = Object.assign(Object.create(under) as typeof under, {
    begin: async (...args: Parameters<typeof under.begin>) => {
      const done = await under.begin(...args);
      reached();
      await gate;
      return done;
    },
  });
  const definition = scripted([{ text: "Hi." }]);
  const { engine } = setUp(definition, { store, ...over, locks });
  const reacting = engine.react(definition, { id: "a", text: "a" }, { address });
  await begun;
  lives[0]!.abort(new HebraError("LOCK_LOST", "It was not renewed in time."));
  open();
  const turn = await reacting;
  const followed = await engine.follow(turn.executionId);
  assert.equal((await settle(over.clock, turn.result)).text, "Hi.");
  assert.equal((await settle(over.clock, followed.result)).text, "Hi.");
  await engine.close();
});

test("a message that waits in line runs, though the lease was lost in between [EN-7]", async () => {
  const over = clocked();
  const gate = gatedReactor();
  const definition = defineThread({ name: "test", reactor: gate.reactor });
  const lives: AbortController[] = [];
  const locks: LockManager = {
    ...over.locks,
    async acquire(key, options) {
      const lease = await over.locks.acquire(key, options);
      const life = new AbortController();
      lives.push(life);
      return { ...lease, key, fence: lease.fence, signal: life.signal, release: () => lease.release() } as Lease;
    },
  };
  const { engine } = setUp(definition, { ...over, locks });
  const first = await engine.react(definition, { id: "a", text: "a" }, { address });
  await gate.reached;
  const second = await engine.react(definition, { id: "b", text: "b" }, { address });
  const merged = await engine.react(definition, { id: "c", text: "c" }, { address, whenBusy: "merge" });
  gate.open();
  lives[0]!.abort(new HebraError("LOCK_LOST", "It was not renewed in time."));
  for (const turn of [first, second, merged]) assert.equal((await settle(over.clock, turn.result)).status, "completed");
  await engine.close();
});

describe("what a process that was killed has left", () => {
  const orphan = async (locks = localLocks()) => {
    const store = memoryStore();
    const gate = gatedReactor();
    const hanging = defineThread({ name: "test", reactor: gate.reactor });
    const first = createEngine({ store, threads: [hanging], locks });
    const turn = await first.react(hanging, { id: "a", text: "a" }, { address });
    turn.result.catch(() => undefined);
    await gate.reached;
    return { store, first, turn };
  };
  const next = scripted([{ text: "Back." }]);

  test("is resumed at once by `recover`, however young it is [EN-14]", async () => {
    const { store, first, turn } = await orphan();
    await first.close();
    const { engine } = setUp(next, { store });
    assert.equal(await engine.recover(), 1);
    assert.equal((await (await engine.follow(turn.executionId)).result).text, "Back.");
    await engine.close();
  });

  test("is resumed by the next engine by itself, unless it is told not to [EN-14]", async () => {
    const { store, first, turn } = await orphan();
    await first.close();
    const clock = createManualClock();
    const silent = createEngine({ store, threads: [next], clock, recoverEveryMs: false });
    await clock.advance(100_000);
    assert.equal((await store.execution("default", turn.executionId))!.execution.status, "running");
    await silent.close();
    const engine = createEngine({ store, threads: [next] });
    assert.equal((await (await engine.follow(turn.executionId)).result).text, "Back.");
    await engine.close();
  });

  test("is left alone while its process holds the lease, however old it is [EN-14]", async () => {
    const locks = localLocks();
    const { store, first } = await orphan(locks);
    const { engine } = setUp(next, { store, locks });
    assert.equal(await engine.recover(), 0);
    await engine.close();
    await first.close();
  });
});

describe("a definition that is gone", () => {
  const asking = () =>
    scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Sent." }], {
      actions: { send: action(() => "sent", { approval: true }) },
    });
  const left = async () => {
    const store = memoryStore();
    const definition = asking();
    const first = setUp(definition, { store });
    const turn = await first.engine.react(definition, { id: "a", text: "a" }, { address });
    const { approvals } = await turn.result;
    await first.engine.close();
    const renamed = scripted([{ text: "Hello." }], { name: "renamed" });
    const clock = createManualClock();
    const { engine } = setUp(renamed, { store, clock });
    return { store, definition, renamed, engine, clock, approval: approvals[0]!, turn };
  };

  test("is told of on approve, on the message's handle and in health [EN-13]", async () => {
    const { engine, clock, approval, renamed } = await left();
    await assert.rejects(engine.approve(approval.id), { code: "DEFINITION_MISSING" });
    const behind = await engine.react(renamed, { id: "b", text: "b" }, { address });
    await assert.rejects(settle(clock, behind.result), { code: "DEFINITION_MISSING" });
    const { status, stuck } = await engine.health();
    assert.equal(status, "degraded");
    assert.deepEqual(
      stuck.map(({ threadKey, code, retries }) => [threadKey, code, retries]),
      [["customer-7", "DEFINITION_MISSING", false]],
    );
    await engine.close();
  });

  test("no longer stands in the way once its turn is given up [EN-13]", async () => {
    const { engine, clock, renamed, turn, store } = await left();
    const behind = await engine.react(renamed, { id: "b", text: "b" }, { address });
    await engine.cancel(turn.executionId);
    const followed = await engine.follow(behind.executionId);
    assert.equal((await settle(clock, followed.result)).text, "Hello.");
    assert.equal((await store.execution("default", turn.executionId))!.execution.status, "cancelled");
    assert.deepEqual((await engine.health()).stuck, []);
    await expectSettled(store);
    await engine.close();
  });

  test("is found in health when its turn could go on and nobody takes it [EN-13]", async () => {
    const store = memoryStore();
    const definition = asking();
    const clock = createManualClock();
    const first = setUp(definition, { store, clock });
    await first.engine.enqueue(definition, { id: "a", text: "a" }, { address });
    await first.engine.close();
    const { engine } = setUp(scripted([{ text: "Hello." }], { name: "renamed" }), { store, clock });
    expect((await engine.health()).stuck).toEqual([]);
    await clock.advance(60_000);
    expect((await engine.health()).stuck).toMatchObject([{ code: "DEFINITION_MISSING" }]);
    await engine.close();
  });
});

for (const code of ["STORE_BUSY", "UNREACHABLE", "STORE_FAILED"] as const)
  test(`a message is stored while the locks answer ${code}, and runs once they are back [EN-7]`, async () => {
    const over = clocked();
    let away = true;
    const locks: LockManager = {
      ...over.locks,
      async acquire(key, options) {
        if (away) throw new HebraError(code, "The locks did not answer.", { retryable: true });
        return over.locks.acquire(key, options);
      },
    };
    const definition = scripted([{ text: "Hi." }]);
    const { engine, store } = setUp(definition, { ...over, locks });
    const say = (id: string, whenBusy: "merge" | "reject") =>
      engine.react(definition, { id, text: id }, { address, whenBusy });
    const turn = await say("a", "merge");
    await assert.rejects(say("b", "reject"), { code });
    await over.clock.advance(5_000);
    away = false;
    assert.equal((await settle(over.clock, turn.result)).text, "Hi.");
    assert.deepEqual((await engine.health()).stuck, []);
    await expectSettled(store);
    await engine.close();
  });
