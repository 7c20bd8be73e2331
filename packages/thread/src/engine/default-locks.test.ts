import { HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { createEngine } from "./engine.ts";
import { gatedReactor } from "./engine.fixture.ts";

const shared = (): ThreadStore => ({ ...memoryStore(), scope: "shared" });

describe("an engine without `locks` over a store that several hosts share", () => {
  it("leaves turns alone that another engine runs, however long nothing is written to them", async () => {
    const store = shared();
    const gate = gatedReactor("Hello.");
    const threads = [defineThread({ name: "test", reactor: gate.reactor })];
    const [one, other] = [createEngine({ store, threads }), createEngine({ store, threads, recoverEveryMs: false })];
    const turn = await one.react("test", { id: "a", text: "a" }, { address: { key: "customer-7" } });
    await gate.reached;
    expect(await other.recover({ olderThanMs: -1 })).toBe(0);
    gate.open();
    expect((await turn.result).status).toBe("completed");
    const { executions } = (await store.export("default", turn.contextId))!;
    expect(executions.map(({ attempt }) => attempt)).toEqual([1]);
    await Promise.all([one.close(), other.close()]);
  });

  it("says what to pass when that store keeps no leases", () => {
    const { leases: _none, ...store } = shared();
    expect(() => createEngine({ store, threads: [] })).toThrow(HebraError);
    expect(() => createEngine({ store, threads: [] })).toThrow(/keeps no leases\. Pass `locks`/);
  });
});
