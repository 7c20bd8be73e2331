import { describe, expect, it } from "vitest";
import { createManualClock, HebraError } from "@hebra/core";
import { localLocks, type Lease, type LockManager } from "@hebra/lock";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { defineThread } from "../definition/define-thread.ts";
import { action, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";
import { flakyStore } from "./outages.fixture.ts";

/** A lease that ends when the test says so. */
function mortalLease(): Lease & { end(): void } {
  const life = new AbortController();
  return {
    key: "default/customer-7",
    fence: 1_000,
    signal: life.signal,
    extend: async () => {},
    release: async () => {},
    end: () => life.abort(new HebraError("LEASE_LOST", "Another has it.")),
  };
}

/** A store whose writes of turns wait until they are let through. */
function slowStore(): { store: ThreadStore; under: ThreadStore; writing: Promise<void>; write(): void } {
  const under = memoryStore();
  let [begun, write] = [() => {}, () => {}];
  const writing = new Promise<void>((resolve) => (begun = resolve));
  const gate = new Promise<void>((resolve) => (write = resolve));
  const commit: ThreadStore["commit"] = async (...args) => {
    begun();
    await gate;
    return under.commit(...args);
  };
  return { store: { ...under, commit }, under, writing, write: () => write() };
}

describe("a turn whose lease ends", () => {
  it("runs no action and asks no model any more, also when the write under way succeeds; whoever comes next goes on", async () => {
    const { store, under, writing, write } = slowStore();
    const ran: string[] = [];
    const look = action(
      () => {
        ran.push("look");
        return "seen";
      },
      { effect: "read" },
    );
    let asked = 0;
    const definition = scripted([() => (asked++, { actions: [{ name: "look", input: {} }] }), { text: "Done." }], {
      actions: { look },
    });
    const first = setUp(definition, { store });
    const lease = mortalLease();
    const turn = await first.engine.react(definition, { id: "a", text: "a" }, { address: first.address, lease });
    const ended = expect(turn.result).rejects.toMatchObject({ code: "LEASE_LOST" });
    await writing;
    lease.end();
    write();
    await ended;
    await first.engine.close();
    expect([asked, ran]).toEqual([1, []]);

    const second = setUp(definition, { store: under });
    await second.engine.recover({ olderThanMs: -1 });
    await second.engine.idle();
    expect(ran).toEqual(["look"]);
    await expectSettled(under);
  });

  it("aborts what is under way in the same moment", async () => {
    const { reactor, inputs, reached } = gatedReactor();
    const definition = defineThread({ name: "test", reactor });
    const { engine, address } = setUp(definition);
    const lease = mortalLease();
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address, lease });
    const ended = expect(turn.result).rejects.toMatchObject({ code: "LEASE_LOST" });
    await reached;
    lease.end();
    expect(inputs[0]!.signal.aborted).toBe(true);
    await ended;
    await engine.close();
  });
});

/** Locks whose leases are lost when the test says so. */
function losableLocks(locks: LockManager): LockManager & { lose(): void } {
  let losers: (() => void)[] = [];
  return {
    ...locks,
    async acquire(key, options) {
      const lease = await locks.acquire(key, options);
      const life = new AbortController();
      losers.push(() => {
        life.abort(new HebraError("LOCK_LOST", "It was not renewed in time."));
        void lease.release();
      });
      return {
        key,
        fence: lease.fence,
        signal: life.signal,
        extend: (ms) => lease.extend(ms),
        release: () => lease.release(),
      };
    },
    lose() {
      for (const lose of losers) lose();
      losers = [];
    },
  };
}

describe("a turn whose lease this engine lost", () => {
  it("ends for its readers here when another engine has gone on with it [EN-10]", async () => {
    const clock = createManualClock();
    const store = memoryStore();
    const under = localLocks({ clock });
    const locks = losableLocks(under);
    const gate = gatedReactor();
    const first = setUp(defineThread({ name: "test", reactor: gate.reactor }), { store, locks, clock });
    const definition = scripted([{ text: "Hello." }]);
    const second = setUp(definition, { store, locks: under, clock });
    const turn = await first.engine.react("test", { id: "a", text: "a" }, { address: first.address });
    const types: string[] = [];
    const read = (async () => {
      for await (const { type } of turn.stream) types.push(type);
    })();
    await gate.reached;
    await clock.advance(10);
    const next = await second.engine.react(definition, { id: "b", text: "b" }, { address: first.address });
    locks.lose();
    for (let i = 0; i < 20; i++) await clock.advance(250);
    expect((await next.result).status).toBe("completed");
    expect(types.at(-1)).toBe("execution-ended");
    await read;
    await Promise.all([first.engine.close(), second.engine.close()]);
  });

  it("is resumed here, and its result comes, also when the lease went while a write was tried again [EN-4]", async () => {
    const clock = createManualClock();
    const store = flakyStore(memoryStore());
    const locks = losableLocks(localLocks({ clock }));
    let asked = 0;
    const definition = scripted([() => (asked++ === 0 && store.down(), { text: "Hello." })]);
    const { engine, address } = setUp(definition, { store, locks, clock, random: () => 0.5 });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    await clock.advance(10);
    locks.lose();
    await clock.advance(10);
    store.up();
    const result = turn.result.then(
      ({ status }) => status,
      (error: unknown) => error,
    );
    for (let i = 0; i < 40; i++) await clock.advance(250);
    expect(await result).toBe("completed");
    await engine.close();
  });
});
