import { describe, expect, it } from "vitest";
import { HebraError } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { defineThread } from "../definition/define-thread.ts";
import { action, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";

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
