import { describe, expect, it } from "vitest";
import { createManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { memoryStore } from "../store/memory.ts";
import { expectSettled, scripted, setUp } from "./engine.fixture.ts";

const definition = scripted([{ text: "Yes." }]);
const YEAR_MS = 365 * 24 * 3_600_000;

/** Locks that count from some time on: their first fence is the microseconds since the epoch. */
const locksAt = (at: number) => localLocks({ clock: createManualClock(at) });

describe("locks that have lost their count", () => {
  it("are told the store's, and the thread goes on", async () => {
    const store = memoryStore();
    const ahead = setUp(definition, { store, locks: locksAt(YEAR_MS) });
    await (
      await ahead.engine.react(definition, { id: "a", text: "a" }, { address: ahead.address })
    ).result;
    await ahead.engine.idle();
    const { fence } = (await store.load("default", ahead.address))!.context;

    // The backend of the locks was lost, and the clock that backs it up is behind.
    const behind = setUp(definition, { store, locks: locksAt(1_000) });
    const turn = await behind.engine.react(definition, { id: "b", text: "b" }, { address: behind.address });
    expect((await turn.result).status).toBe("completed");
    await behind.engine.idle();
    expect((await store.load("default", behind.address))!.context.fence).toBeGreaterThan(fence);
    await expectSettled(store);
  });

  it("also when what is to be run is queued, or was cut off", async () => {
    const store = memoryStore();
    const ahead = setUp(definition, { store, locks: locksAt(YEAR_MS) });
    await (
      await ahead.engine.react(definition, { id: "a", text: "a" }, { address: ahead.address })
    ).result;
    await ahead.engine.enqueue(definition, { id: "b", text: "b" }, { address: ahead.address });
    await ahead.engine.close();

    const behind = setUp(definition, { store, locks: locksAt(1_000) });
    await behind.engine.recover({ olderThanMs: -1 });
    await behind.engine.idle();
    const { context } = (await store.load("default", behind.address))!;
    expect((await store.export("default", context.id))!.executions.map(({ status }) => status)).toEqual([
      "completed",
      "completed",
    ]);
    await expectSettled(store);
  });

  it("are told even when the lease is another's to renew, so that the next one is good", async () => {
    const store = memoryStore();
    const ahead = setUp(definition, { store, locks: locksAt(YEAR_MS) });
    await (
      await ahead.engine.react(definition, { id: "a", text: "a" }, { address: ahead.address })
    ).result;
    await ahead.engine.idle();

    const locks = locksAt(1_000);
    const behind = setUp(definition, { store, locks });
    const lease = await locks.acquire("default/customer-7");
    await expect(
      behind.engine.react(definition, { id: "b", text: "b" }, { address: behind.address, lease }),
    ).rejects.toMatchObject({ code: "STALE_FENCE" });
    const next = await locks.acquire("default/customer-7", { waitMs: 0 });
    const turn = await behind.engine.react(
      definition,
      { id: "b", text: "b" },
      { address: behind.address, lease: next },
    );
    expect((await turn.result).status).toBe("completed");
    await expectSettled(store);
  });
});

describe("a trigger", () => {
  it("is taken also when a former holder's write lands at the last moment", async () => {
    const inner = memoryStore();
    let late = 0;
    const store = {
      ...inner,
      async begin(...[tenant, begin]: Parameters<typeof inner.begin>) {
        const found = await inner.load(tenant, { contextId: begin.context.id });
        if (found !== undefined && late++ < 2) {
          const { context } = found;
          const event = {
            v: 1 as const,
            seq: context.seq + 1,
            at: 1,
            tenant,
            contextId: context.id,
            executionId: null,
            type: "context-changed" as const,
            data: { state: {} },
          };
          await inner.commit(
            tenant,
            context.id,
            { fence: context.fence, expectedSeq: context.seq },
            { context: { updatedAt: 1, state: {} }, events: [event] },
          );
        }
        return inner.begin(tenant, begin);
      },
    };
    const { engine, address } = setUp(definition, { store });
    for (const id of ["a", "b"]) {
      expect((await (await engine.react(definition, { id, text: id }, { address })).result).status).toBe("completed");
      await engine.idle();
    }
    expect(late).toBe(3);
    await expectSettled(store);
  });
});
