import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { scripted, setUp } from "../../engine/engine.fixture.ts";
import { newContext, newExecution, newTriggerItem, newTriggerRow } from "../../engine/rows/new-rows.ts";
import { parseTrigger } from "../../engine/trigger.ts";
import { memoryStore } from "../../store/memory.ts";
import { sqliteStore } from "../../store/sqlite.ts";
import { storeContract } from "../../store/store.contract.ts";
import type { ContextBundle, ThreadStore } from "../../store/store.ts";
import { faultyStore } from "../../testing/faulty-store.ts";
import { verifyGraph } from "../../store/contract/verify-graph.ts";
import { handover } from "../handover.ts";
import { jsonLinesReader } from "./json-lines-reader.ts";
import { legacyStore, type MappedGroup } from "./legacy-store.ts";
import { memoryReader } from "./memory-reader.ts";
import type { LegacyGroup } from "./reader.ts";
import { addStoryTurn, storyRows } from "./story-rows.fixture.ts";
import { migrationMapping } from "./to-bundle.fixture.ts";

const tenant = "default";
let toBundle: (group: LegacyGroup) => MappedGroup;
beforeAll(async () => {
  toBundle = await migrationMapping();
});

const over = (store: ThreadStore, tables = storyRows(), options: { maxRejects?: number } = {}) =>
  legacyStore({ store, legacy: memoryReader(tables), toBundle, ...options });

describe("legacyStore reads what only the old engine has", () => {
  it("as items with parts, by key and by context id, and writes nothing", async () => {
    const inner = faultyStore(memoryStore(), []);
    const store = over(inner, storyRows("c", 30));
    const found = await store.load(tenant, { key: "customer-c" });
    expect(found?.context).toMatchObject({ id: "c", status: "open", seq: 62, state: { orders: 1 } });
    expect((await store.load(tenant, { contextId: "c" }))?.thread.key).toBe("customer-c");
    const history = await store.history(tenant, "c", { items: 4, upToSeq: 4 });
    expect(history.map(({ item }) => [item.id, item.role, item.status])).toEqual([
      ["c-in", "user", "completed"],
      ["c-out", "assistant", "completed"],
      ["c-in-0", "user", "completed"],
      ["c-out-0", "assistant", "completed"],
    ]);
    expect(history[1]!.parts.map(({ content }) => content)).toMatchObject([
      { kind: "action", callId: "call-1", status: "succeeded", output: { status: "shipped" } },
      { kind: "text", text: "It has shipped." },
    ]);
    expect((await store.execution(tenant, "c-run"))?.execution).toMatchObject({
      status: "completed",
      triggerItemId: "c-in",
    });
    expect(await store.journal(tenant, "c", 0)).toEqual([]);
    expect((await store.export(tenant, "c"))?.items).toHaveLength(62);
    expect(await store.load("another", { key: "customer-c" })).toBeUndefined();
    expect(await store.load(tenant, { key: "nobody" })).toBeUndefined();
    expect(inner.calls.filter((verb) => !["load", "execution", "history", "journal", "export"].includes(verb))).toEqual(
      [],
    );
  });

  it("lists new threads, then old ones, each once", async () => {
    const tables = storyRows("a");
    for (const name of ["b", "c"])
      for (const [entity, rows] of Object.entries(storyRows(name))) tables[entity as keyof typeof tables].push(...rows);
    const definition = scripted([{ text: "x" }]);
    const store = over(memoryStore(), tables);
    const { engine } = setUp(definition, { store });
    await (
      await engine.react(definition, { id: "1", text: "new" }, { address: { key: "other-1" } })
    ).result;
    await (
      await engine.react(definition, { id: "1", text: "on" }, { address: { key: "customer-b" } })
    ).result;
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(tenant, { limit: 1, ...(cursor === undefined ? {} : { cursor }) });
      keys.push(...page.rows.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(keys.toSorted()).toEqual(["customer-a", "customer-b", "customer-c", "other-1"]);
    expect((await store.list(tenant, { keyPrefix: "customer-" })).rows).toHaveLength(3);
  });

  it("from a folder of JSON lines too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hebra-legacy-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    for (const [entity, rows] of Object.entries(storyRows()))
      writeFileSync(join(folder, `${entity}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const store = legacyStore({ store: memoryStore(), legacy: jsonLinesReader(folder, { tenant: "acme" }), toBundle });
    expect(await store.history("acme", "c", { items: 40 })).toHaveLength(2);
    expect(await store.load("default", { key: "customer-c" })).toBeUndefined();
    await expect(
      legacyStore({ store: memoryStore(), legacy: jsonLinesReader(join(folder, "none")), toBundle }).load("default", {
        key: "k",
      }),
    ).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });
});

describe("the first turn of an old conversation", () => {
  const definition = scripted([{ text: "Anything else?" }]);

  it("brings it in whole, and the engine goes on with its history and state", async () => {
    const inner = memoryStore();
    const tables = storyRows();
    const { engine, store } = setUp(definition, { store: over(inner, tables) });
    const turn = await engine.react(definition, { id: "n-1", text: "Thanks" }, { address: { key: "customer-c" } });
    expect((await turn.result).status).toBe("completed");
    const bundle = (await inner.export(tenant, "c"))!;
    expect(bundle.items.map(({ id }) => id)).toEqual(["c-in", "c-out", turn.triggerItemId, turn.reactionItemId]);
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
    expect(bundle.context.state).toEqual({ orders: 1 });
    // From now on the old rows no longer count.
    addStoryTurn(tables, "c", 0);
    expect(await store.history(tenant, "c", { items: 40 })).toHaveLength(4);
    expect((await handover(store, { key: "customer-c" })).context_events).toHaveLength(2);
  });

  it("by an old trigger's second delivery returns the old turn and runs nothing", async () => {
    const { engine } = setUp(definition, { store: over(memoryStore()) });
    const turn = await engine.react(
      definition,
      { id: "c-in", text: "Where is A-7?" },
      { address: { key: "customer-c" } },
    );
    expect(turn).toMatchObject({ duplicate: true, executionId: "c-run" });
    expect((await turn.result).text).toBe("It has shipped.");
  });

  it("may be begun by two processes at once: it is brought in once, and both turns run", async () => {
    const inner = memoryStore();
    const tables = storyRows("c", 3);
    const locks = localLocks({ clock: createManualClock() });
    const engines = [1, 2, 3].map(() => setUp(definition, { store: over(inner, tables), locks }).engine);
    const turns = await Promise.all(
      engines.map((engine, i) =>
        engine.react(definition, { id: `n-${i}`, text: "hi" }, { address: { key: "customer-c" } }),
      ),
    );
    expect((await Promise.all(turns.map(({ result }) => result))).map(({ status }) => status)).toEqual([
      "completed",
      "completed",
      "completed",
    ]);
    const bundle = (await inner.export(tenant, "c"))!;
    expect(bundle.items).toHaveLength(8 + 6);
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
  });

  it("is brought in once also by stores of their own over one database", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hebra-legacy-"));
    const path = join(folder, "threads.db");
    const inner = await Promise.all([1, 2, 3].map(() => sqliteStore({ path })));
    try {
      const tables = storyRows("c", 20);
      const locks = localLocks();
      const engines = inner.map((store) => setUp(definition, { store: over(store, tables), locks }).engine);
      const turns = await Promise.all(
        engines.map((engine, i) =>
          engine.react(definition, { id: `n-${i}`, text: "hi" }, { address: { key: "customer-c" } }),
        ),
      );
      expect((await Promise.all(turns.map(({ result }) => result))).map(({ status }) => status)).toEqual([
        "completed",
        "completed",
        "completed",
      ]);
      const bundle = (await inner[0]!.export(tenant, "c"))!;
      expect(bundle.items).toHaveLength(42 + 6);
      expect(verifyGraph(bundle, { settled: true })).toEqual([]);
      await Promise.all(engines.map((engine) => engine.close()));
    } finally {
      await Promise.all(inner.map((store) => store.close()));
      rmSync(folder, { recursive: true });
    }
  });

  it("holds when another process has brought it in and gone on between the look and the write", async () => {
    const inner = memoryStore();
    const tables = storyRows();
    const other = setUp(definition, { store: over(inner, tables) });
    let raced = false;
    const late: ThreadStore = {
      ...inner,
      async import(to, bundle) {
        if (!raced) {
          raced = true;
          await (
            await other.engine.react(definition, { id: "first", text: "first" }, { address: { key: "customer-c" } })
          ).result;
        }
        return inner.import(to, bundle);
      },
    };
    const store = over(late, tables);
    const { thread, context } = (await store.load(tenant, { key: "customer-c" }))!;
    const execution = newExecution(tenant, context, definition, parseTrigger({ id: "second", text: "second" }), 1);
    const trigger = parseTrigger({ id: "second", text: "second" });
    const begun = await store.begin(tenant, {
      thread,
      context,
      execution,
      trigger: newTriggerRow(execution, trigger.digest),
      items: [newTriggerItem(execution, trigger)],
    });
    expect(raced).toBe(true);
    expect(begun).toMatchObject({ duplicate: false, execution: { status: "queued" } });
    expect((await inner.export(tenant, "c"))!.items).toHaveLength(2 + 2 + 1);
  });

  it("catches up with what the old engine added after the migration's import", async () => {
    const inner = memoryStore();
    const tables = storyRows();
    const group = {
      context: tables.context_contexts[0]!,
      events: [...tables.context_events],
      executions: [...tables.story_executions],
      steps: tables.story_steps,
      parts: tables.story_parts,
    };
    await inner.import(tenant, toBundle(group).document as ContextBundle);
    addStoryTurn(tables, "c", 0);
    const { engine, store } = setUp(definition, { store: over(inner, tables) });
    expect(await store.history(tenant, "c", { items: 40 })).toHaveLength(4);
    await (
      await engine.react(definition, { id: "n", text: "n" }, { address: { key: "customer-c" } })
    ).result;
    expect((await inner.export(tenant, "c"))!.items).toHaveLength(6);
  });

  it("waits for a migration that has reserved the address, while its history is still read", async () => {
    const inner = memoryStore();
    const store = over(inner);
    const { thread, context } = (await store.load(tenant, { key: "customer-c" }))!;
    await inner.announceImport(tenant, thread, context);
    expect(await store.history(tenant, "c", { items: 40 })).toHaveLength(2);
    const { engine } = setUp(definition, { store });
    await expect(
      engine.react(definition, { id: "n", text: "n" }, { address: { key: "customer-c" } }),
    ).rejects.toMatchObject({ code: "CONTEXT_MIGRATING", retryable: true });
  });

  it("is refused when rows would be lost, unless that is allowed; reading is not", async () => {
    const tables = storyRows();
    tables.context_events.push({ id: "broken", context: "c", type: "input_text" });
    const { engine, store } = setUp(definition, { store: over(memoryStore(), tables) });
    expect(await store.history(tenant, "c", { items: 40 })).toHaveLength(2);
    await expect(
      engine.react(definition, { id: "n", text: "n" }, { address: { key: "customer-c" } }),
    ).rejects.toMatchObject({ code: "REJECTS_OVER_BUDGET", details: { rejects: 1 } });
    const lax = setUp(definition, { store: over(memoryStore(), tables, { maxRejects: 1 }) });
    expect(
      (await (await lax.engine.react(definition, { id: "n", text: "n" }, { address: { key: "customer-c" } })).result)
        .status,
    ).toBe("completed");
  });

  it("also by a fork or by closing", async () => {
    const store = over(memoryStore());
    const fork = await store.fork(tenant, {
      from: "c",
      atItemId: "c-in",
      context: newContext("fork", "any", {}, 1, 5),
    });
    expect(fork).toMatchObject({ parentContextId: "c", parentSeq: 1 });
    const other = over(memoryStore());
    await other.setClosed(tenant, "c", true, 5);
    expect((await other.load(tenant, { contextId: "c" }))?.context.status).toBe("closed");
  });
});

describe("legacyStore over a store without old rows", () => {
  const reason = "memory ends with its process, so there is no second store over the same data";
  const clauses = storeContract({
    create: async () =>
      legacyStore({
        store: memoryStore(),
        legacy: memoryReader({ context_contexts: [] }),
        toBundle: (group) => toBundle(group),
      }),
    skip: {
      "what was acknowledged is there when the data is opened again": reason,
      "two stores over the same data: exactly one wins each sequence": reason,
      "two stores over the same data: one trigger makes one execution, also in a new thread": reason,
      "a watcher hears of another store's inbox writes": reason,
    },
  });
  for (const [title, clause] of Object.entries(clauses)) it(title, clause);
});
