import { beforeAll, describe, expect, it } from "vitest";
import { createManualClock, type JsonObject } from "@hebra/core";
import { localLocks, lockKey } from "@hebra/lock";
import { action, scripted, setUp } from "../engine/engine.fixture.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import { catchUp, type CatchUpOptions } from "./catch-up.ts";
import { handover } from "./handover.ts";
import { legacyStore, type MappedGroup } from "./read-through/legacy-store.ts";
import { memoryReader } from "./read-through/memory-reader.ts";
import type { LegacyGroup } from "./read-through/reader.ts";
import { addStoryTurn, storyRows, type MutableTables } from "./read-through/story-rows.fixture.ts";
import { migrationMapping } from "./read-through/to-bundle.fixture.ts";

let toBundle: (group: LegacyGroup) => MappedGroup;
beforeAll(async () => {
  toBundle = await migrationMapping();
});

const address = { key: "customer-c" };
const definition = scripted([{ text: "Anything else?" }]);

/** A conversation that the old engine began, the new one went on with, and the old one after it. */
async function returning() {
  const tables = storyRows();
  const store = memoryStore();
  const locks = localLocks();
  const options: CatchUpOptions = { store, locks, legacy: memoryReader(tables), toBundle, address };
  expect(await catchUp(options)).toEqual({ changed: true });
  const { engine } = setUp(definition, { store, locks });
  await (
    await engine.react(definition, { id: "n-1", text: "Thanks" }, { address })
  ).result;
  await engine.idle();
  for (const [entity, rows] of Object.entries(await handover(store, address)))
    tables[entity as keyof MutableTables].push(...(rows as JsonObject[]));
  addStoryTurn(tables, "c", 0);
  const items = async () => (await store.export("default", "c"))!.items.map(({ id }) => id);
  return { tables, store, locks, options, engine, items };
}

describe("catchUp", () => {
  it("adds what the old engine added, once, with its events, and tells readers", async () => {
    const { store, options, items } = await returning();
    const before = await items();
    const seq = (await store.load("default", address))!.context.seq;
    expect(await catchUp(options)).toEqual({ changed: true });
    expect(await items()).toEqual([...before, "c-in-0", "c-out-0"]);
    const bundle = (await store.export("default", "c"))!;
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
    expect(bundle.items.slice(-2).map(({ provenance, status }) => [provenance?.source, status])).toEqual([
      ["story", "completed"],
      ["story", "completed"],
    ]);
    expect((await store.journal("default", "c", seq)).map(({ type, data }) => [type, data["itemId"]])).toEqual([
      ["item-created", "c-in-0"],
      ["item-created", "c-out-0"],
    ]);
    expect(await catchUp(options)).toEqual({ changed: false });
    expect((await store.load("default", address))!.context.seq).toBe(bundle.context.seq);
  });

  it("waits for the thread's lease, or works under the caller's", async () => {
    const { options, locks } = await returning();
    const lease = await locks.acquire(lockKey("default", address.key));
    const waiting = catchUp({ ...options, locks: { ...locks, acquire: (key) => locks.acquire(key, { waitMs: 0 }) } });
    await expect(waiting).rejects.toMatchObject({ code: "LOCK_TIMEOUT", retryable: true });
    expect(await catchUp({ ...options, lease })).toEqual({ changed: true });
    expect(lease.signal.aborted).toBe(false);
    await lease.extend();
    await lease.release();
  });

  it("is refused under a lease that another has taken over, and tells locks that have lost their count", async () => {
    const { options, store } = await returning();
    const old = localLocks({ clock: createManualClock(1_000) });
    const lease = await old.acquire(lockKey("default", address.key));
    await expect(catchUp({ ...options, locks: old, lease })).rejects.toMatchObject({ code: "STALE_FENCE" });
    await lease.release();
    const { fence } = (await store.load("default", address))!.context;
    expect(await catchUp({ ...options, locks: old })).toEqual({ changed: true });
    expect((await store.load("default", address))!.context.fence).toBeGreaterThan(fence);
  });

  it("done by two processes at once adds each turn once", async () => {
    const { options, items } = await returning();
    const before = await items();
    const both = await Promise.all(
      [catchUp({ ...options, locks: localLocks() }), catchUp({ ...options, locks: localLocks() })].map((one) =>
        one.then(
          ({ changed }) => changed,
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(both).toContain(true);
    expect(await items()).toEqual([...before, "c-in-0", "c-out-0"]);
  });

  it("goes beside a turn that waits for a person, which goes on afterwards", async () => {
    const { options, store, locks, tables } = await returning();
    const asking = scripted([{ text: "May I?", actions: [{ name: "pay", input: {} }] }, { text: "Paid." }], {
      name: "asking",
      actions: { pay: action(() => "paid", { approval: true }) },
    });
    const { engine } = setUp(asking, { store, locks });
    const turn = await engine.react(asking, { id: "n-2", text: "Pay." }, { address });
    const { approvals } = await turn.result;
    await engine.idle();
    expect((await handover(store, address)).context_events).toHaveLength(2);
    addStoryTurn(tables, "c", 1);
    await catchUp(options);
    await engine.approve(approvals[0]!.id);
    await engine.idle();
    const bundle = (await store.export("default", "c"))!;
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
    expect((await store.execution("default", turn.executionId))?.execution.status).toBe("completed");
    expect((await handover(store, address)).context_events).toHaveLength(4);
  });

  it("leaves the state alone, or makes of both what it is told", async () => {
    const { options, store, tables } = await returning();
    tables.context_contexts[0]!["content"] = { orders: 2 };
    await catchUp(options);
    expect((await store.load("default", address))!.context.state).toEqual({ orders: 1 });
    addStoryTurn(tables, "c", 1);
    await catchUp({
      ...options,
      state: (current, old) => ({ ...(current as JsonObject), ...(old as JsonObject), merged: true }),
    });
    expect((await store.load("default", address))!.context.state).toEqual({ orders: 2, merged: true });
    expect(await catchUp({ ...options, state: () => ({ never: true }) })).toEqual({ changed: false });
  });

  it("counts only rows that are new as having no place", async () => {
    const { options, tables, store } = await returning();
    const mine = (await store.export("default", "c"))!.executions.find(({ provenance }) => provenance === null)!;
    // The old engine never wrote all of what was handed over.
    tables.context_events.splice(
      tables.context_events.findIndex(({ id }) => id === mine.reactionItemId),
      1,
    );
    expect(await catchUp(options)).toEqual({ changed: true });
    tables.context_events.push({ id: "broken", context: "c", type: "input_text" });
    await expect(catchUp(options)).rejects.toMatchObject({ code: "REJECTS_OVER_BUDGET", details: { rejects: 1 } });
    expect(await catchUp({ ...options, maxRejects: 1 })).toEqual({ changed: false });
  });

  it("works over a read-through store, and lets a reserved address alone", async () => {
    const { options, store, tables, items } = await returning();
    const over: ThreadStore = legacyStore({ store, legacy: options.legacy, toBundle });
    expect(await catchUp({ ...options, store: over })).toEqual({ changed: true });
    expect(await items()).toHaveLength(6);
    const other = memoryStore();
    const { document } = toBundle({
      context: tables.context_contexts[0]!,
      events: [],
      executions: [],
      steps: [],
      parts: [],
    }) as { document: { thread: never; context: never } };
    await other.announceImport("default", document.thread, document.context);
    await expect(catchUp({ ...options, store: other })).rejects.toMatchObject({
      code: "CONTEXT_MIGRATING",
      retryable: true,
    });
  });

  it("knows nothing of what the old engine never had, and refuses options that mean nothing", async () => {
    const { options } = await returning();
    expect(await catchUp({ ...options, address: { key: "nobody" } })).toEqual({ changed: false });
    expect(await catchUp({ ...options, address: { key: address.key, tenant: "another" } })).toEqual({ changed: false });
    await expect(catchUp({ ...options, adress: {} } as never)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });
});
