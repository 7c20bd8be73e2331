import assert from "node:assert/strict";
import { deriveId } from "@hebra/core";
import type { ItemRow } from "../rows.ts";
import type { HistoryEntry } from "../store.ts";
import { beginRunning, contextRow, ending, events, itemRow, partRow, playTurn, T0, turnIds } from "./rows.ts";
import { rejects, same, type Clause, type Scenario } from "./scenario.ts";

const contextId = deriveId("context", "award_42");
const turn = (n: number, context = contextId) => turnIds("award_42", `m${n}`, context);

/** Turns of two items and four sequence numbers: turn n has its trigger at 4n + 1 and its reaction at 4n + 2. */
async function play({ store, tenant }: Pick<Scenario, "store" | "tenant">, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await playTurn(store, tenant, turn(n), n * 4, 1, `answer ${n}`);
}

async function addItems(
  { store, tenant }: Pick<Scenario, "store" | "tenant">,
  seq: number,
  rows: ItemRow[],
  context = contextId,
): Promise<void> {
  const types = rows.map(() => "item-created" as const);
  await store.commit(
    tenant,
    context,
    { fence: 1, expectedSeq: seq },
    {
      context: { updatedAt: T0 },
      items: rows,
      events: events(tenant, { ...turn(0), contextId: context }, seq, ...types),
    },
  );
}

const seqs = (entries: readonly HistoryEntry[]) => entries.map((entry) => entry.item.seq);

/** A context of its own that goes on from an item of another. */
async function forked(
  { store, tenant }: Pick<Scenario, "store" | "tenant">,
  from: string,
  atItemId: string,
  name: string,
): Promise<string> {
  const context = contextRow("award_42", { id: name, state: { fork: name }, seq: 99, fence: 99 });
  const made = await store.fork(tenant, { from, atItemId, context });
  assert.equal(made.parentContextId, from);
  return made.id;
}

export const windowClauses = {
  "history gives items with their parts, oldest first": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 3);
    const found = await store.history(tenant, contextId, { items: 40 });
    assert.deepEqual(seqs(found), [1, 2, 5, 6, 9, 10]);
    same(found[2], { item: itemRow(turn(1), "trigger", 5), parts: [] });
    same(found[3], {
      item: itemRow(turn(1), "reaction", 6, { status: "completed" }),
      parts: [partRow(turn(1), 0, "answer 1")],
    });
  },
  "parts come by their index": async ({ store, tenant }) => {
    const ids = turn(0);
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const indexes = [11, 2, 0, 10, 1];
    await store.commit(
      tenant,
      contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 }, parts: indexes.map((i) => partRow(ids, i, `p${i}`)), events: [] },
    );
    const sorted = [...indexes].sort((a, b) => a - b);
    assert.deepEqual(
      (await store.history(tenant, contextId, { items: 40 }))[1]!.parts.map((part) => part.index),
      sorted,
    );
    assert.deepEqual(
      (await store.execution(tenant, ids.executionId))!.parts.map((part) => part.index),
      sorted,
    );
  },
  "a window holds the newest items and never cuts a turn": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 4);
    for (const [items, expected] of [
      [1, []],
      [2, [13, 14]],
      [3, [13, 14]],
      [4, [9, 10, 13, 14]],
      [7, [5, 6, 9, 10, 13, 14]],
      [8, [1, 2, 5, 6, 9, 10, 13, 14]],
      [Infinity, [1, 2, 5, 6, 9, 10, 13, 14]],
    ] as const) {
      assert.deepEqual(seqs(await store.history(tenant, contextId, { items })), expected, `window ${items}`);
    }
  },
  "turns that overlap, as imported ones may, are not cut either": async ({ store, tenant }) => {
    const [a, b] = [turn(0), turn(1)];
    await store.begin(tenant, beginRunning(tenant, turn(9), { fence: 1, expectedSeq: 0 }));
    await addItems({ store, tenant }, 2, [
      itemRow(a, "trigger", 3),
      itemRow(b, "trigger", 4),
      itemRow(a, "reaction", 5),
      itemRow(b, "reaction", 6),
    ]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 3 })), [4, 6]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 4 })), [3, 4, 5, 6]);
  },
  "items of no turn stand by themselves": async (scenario) => {
    await play(scenario, 1);
    await addItems(scenario, 4, [itemRow(turn(0), "note", 5)]);
    assert.deepEqual(seqs(await scenario.store.history(scenario.tenant, contextId, { items: 1 })), [5]);
    assert.deepEqual(seqs(await scenario.store.history(scenario.tenant, contextId, { items: 2 })), [5]);
  },
  "a window ends where it is told to": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 3);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 40, upToSeq: 9 })), [1, 2, 5, 6, 9]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 2, upToSeq: 8 })), [5, 6]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 2, upToSeq: 0 })), []);
  },
  "the newest summary comes on top of the window, older ones not": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 1);
    await addItems(scenario, 4, [itemRow(turn(0), "summary", 5)]);
    await playTurn(store, tenant, turn(2), 5);
    await addItems(scenario, 9, [itemRow(turn(2), "summary", 10)]);
    await playTurn(store, tenant, turn(3), 10);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 2 })), [10, 11, 12]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 40 })), [1, 2, 6, 7, 10, 11, 12]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 2, upToSeq: 9 })), [5, 6, 7]);
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 0 })), [10]);
  },
  "the journal comes in pages, in order, from any point": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 5);
    const all = await store.journal(tenant, contextId, 0);
    assert.deepEqual(
      all.map((event) => event.seq),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    same(all[0], events(tenant, turn(0), 0, "item-created")[0]);
    for (const size of [1, 3, 7, 20, 50]) {
      const seen = [];
      for (let after = 0; ;) {
        const page = await store.journal(tenant, contextId, after, size);
        if (page.length === 0) break;
        assert.ok(page.length <= size);
        seen.push(...page);
        after = page.at(-1)!.seq;
      }
      same(seen, all);
    }
    same(await store.journal(tenant, contextId, 13), all.slice(13));
    same(await store.journal(tenant, contextId, 20), []);
  },
  "a fork shares the history up to its item and goes on by itself": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 3);
    const id = await forked(scenario, contextId, turn(1).reactionItemId, "fork-1");
    const made = (await store.load(tenant, { contextId: id }))!;
    same(
      [made.context.state, made.context.parentSeq, made.context.seq, made.context.fence, made.context.inboxSeq],
      [{ fork: "fork-1" }, 6, 6, 1, 0],
    );
    assert.deepEqual(seqs(await store.history(tenant, id, { items: 40 })), [1, 2, 5, 6]);
    await playTurn(store, tenant, turnIds("award_42", "f1", id), 6);
    assert.deepEqual(seqs(await store.history(tenant, id, { items: 40 })), [1, 2, 5, 6, 7, 8]);
    assert.deepEqual(seqs(await store.history(tenant, id, { items: 4 })), [5, 6, 7, 8]);
    assert.deepEqual(seqs(await store.history(tenant, id, { items: 3 })), [7, 8]);
    assert.deepEqual(seqs(await store.history(tenant, id, { items: 40, upToSeq: 3 })), [1, 2]);
    assert.deepEqual((await store.history(tenant, id, { items: 40 }))[3]!.parts.length, 1);
    // Its journal begins after what it shares; the parent knows nothing of it.
    assert.deepEqual(
      (await store.journal(tenant, id, 0)).map((event) => event.seq),
      [7, 8, 9, 10],
    );
    assert.deepEqual(seqs(await store.history(tenant, contextId, { items: 40 })), [1, 2, 5, 6, 9, 10]);
    same((await store.load(tenant, { key: "award_42" }))!.context.id, contextId);
  },
  "a fork of a fork, also at an item that both share": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 3);
    const first = await forked(scenario, contextId, turn(2).reactionItemId, "first");
    await playTurn(store, tenant, turnIds("award_42", "f1", first), 10);
    const second = await forked(scenario, first, turnIds("award_42", "f1", first).reactionItemId, "second");
    assert.deepEqual(seqs(await store.history(tenant, second, { items: 40 })), [1, 2, 5, 6, 9, 10, 11, 12]);
    const early = await forked(scenario, first, turn(0).reactionItemId, "early");
    assert.deepEqual(seqs(await store.history(tenant, early, { items: 40 })), [1, 2]);
    await rejects(
      store.fork(tenant, {
        from: early,
        atItemId: turn(2).reactionItemId,
        context: contextRow("award_42", { id: "too-late" }),
      }),
      "ITEM_NOT_FOUND",
    );
  },
  "a summary is shared with a fork only where it lies before it": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 1);
    await addItems(scenario, 4, [itemRow(turn(0), "summary", 5)]);
    await playTurn(store, tenant, turn(2), 5);
    assert.deepEqual(
      seqs(
        await store.history(tenant, await forked(scenario, contextId, turn(2).reactionItemId, "with"), { items: 2 }),
      ),
      [5, 6, 7],
    );
    assert.deepEqual(
      seqs(
        await store.history(tenant, await forked(scenario, contextId, turn(0).reactionItemId, "without"), { items: 2 }),
      ),
      [1, 2],
    );
  },
  "forking twice is forking once; another fork of that id is a conflict": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 2);
    const id = await forked(scenario, contextId, turn(0).reactionItemId, "fork-1");
    await playTurn(store, tenant, turnIds("award_42", "f1", id), 2);
    await forked(scenario, contextId, turn(0).reactionItemId, "fork-1");
    same((await store.load(tenant, { contextId: id }))!.context.seq, 6);
    await rejects(
      store.fork(tenant, {
        from: contextId,
        atItemId: turn(1).reactionItemId,
        context: contextRow("award_42", { id }),
      }),
      "VERSION_CONFLICT",
    );
    await rejects(
      store.fork(tenant, {
        from: contextId,
        atItemId: turn(1).reactionItemId,
        context: contextRow("award_42", { id: contextId }),
      }),
      "VERSION_CONFLICT",
    );
    await rejects(
      store.fork(tenant, { from: contextId, atItemId: "nothing", context: contextRow("award_42", { id: "f2" }) }),
      "ITEM_NOT_FOUND",
    );
    await rejects(
      store.fork(tenant, {
        from: "nothing",
        atItemId: turn(1).reactionItemId,
        context: contextRow("award_42", { id: "f2" }),
      }),
      "CONTEXT_NOT_FOUND",
    );
  },
  "an older holder's fence does not write to a fork": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 1);
    await store.takeOver(tenant, contextId, 20);
    const id = await forked(scenario, contextId, turn(0).reactionItemId, "fork-1");
    await rejects(
      store.begin(tenant, beginRunning(tenant, turnIds("award_42", "f1", id), { fence: 19, expectedSeq: 2 })),
      "STALE_FENCE",
    );
  },
  "an item that still waits has no place to fork at": async ({ store, tenant }) => {
    const ids = turn(0);
    await store.begin(tenant, { ...beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }) });
    await store.commit(tenant, contextId, { fence: 1, expectedSeq: 2 }, ending(tenant, ids, 2, 2));
    await store.commit(
      tenant,
      contextId,
      { fence: 1, expectedSeq: 4 },
      { context: { updatedAt: T0 }, items: [itemRow(turn(1), "trigger", null)], events: [] },
    );
    await rejects(
      store.fork(tenant, {
        from: contextId,
        atItemId: turn(1).triggerItemId,
        context: contextRow("award_42", { id: "f" }),
      }),
      "ITEM_NOT_FOUND",
    );
  },
} satisfies Record<string, Clause>;
