import assert from "node:assert/strict";
import { deriveId } from "@hebra/core";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  contextRow,
  events,
  outboxRow,
  playTurn,
  stepRow,
  T0,
  threadRow,
  turnIds,
} from "./rows.ts";
import { rejects, same, type Clause, type Scenario } from "./scenario.ts";

const contextId = deriveId("context", "award_42");
const turn = (n: number, key = "award_42", context = deriveId("context", key)) => turnIds(key, `m${n}`, context);

async function play({ store, tenant }: Scenario, count: number, key = "award_42"): Promise<void> {
  for (let n = 0; n < count; n++) await playTurn(store, tenant, turn(n, key), n * 4, 1, `answer ${n}`);
}

/** Pages from one end of a history to the other, as sequence numbers. */
async function pages({ store, tenant }: Scenario, context: string, way: "before" | "after", limit: number) {
  const found: number[][] = [];
  for (let at: number | undefined; ;) {
    const page = await store.history(tenant, context, { limit, [way]: at ?? (way === "before" ? undefined : 0) });
    const seqs = page.map(({ item }) => item.seq!);
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
    if (seqs.length === 0) return found;
    found.push(seqs);
    at = way === "before" ? seqs[0]! : seqs.at(-1)!;
  }
}

export const conversationClauses = {
  "history is read page by page, back from the end and forth from the beginning, nothing twice or left out [EN-17]":
    async (scenario) => {
      await play(scenario, 5);
      const all = [1, 2, 5, 6, 9, 10, 13, 14, 17, 18];
      const back = await pages(scenario, contextId, "before", 3);
      assert.deepEqual(back, [[14, 17, 18], [9, 10, 13], [2, 5, 6], [1]]);
      const forth = await pages(scenario, contextId, "after", 4);
      assert.deepEqual(forth.flat(), all);
      assert.deepEqual(
        forth.map((page) => page.length),
        [4, 4, 2],
      );
      const { store, tenant } = scenario;
      const between = await store.history(tenant, contextId, { limit: 9, after: 5, before: 13 });
      assert.deepEqual(
        between.map(({ item }) => item.seq),
        [6, 9, 10],
      );
      assert.equal(between[0]!.parts.length, 1);
      assert.deepEqual(await store.history(tenant, "nobody", { limit: 9, after: 0 }), []);
      assert.deepEqual(await store.history(tenant, contextId, { limit: 9, after: 18 }), []);
    },
  "pages of a fork go through what it shares [EN-17]": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 3);
    const fork = await store.fork(tenant, {
      from: contextId,
      atItemId: turn(1).reactionItemId,
      context: contextRow("award_42", { id: "the-fork" }),
    });
    await playTurn(store, tenant, turnIds("award_42", "f1", fork.id), 6, 1, "elsewhere");
    const line = [1, 2, 5, 6, 7, 8];
    for (const way of ["before", "after"] as const) {
      const found = await pages(scenario, fork.id, way, 2);
      assert.deepEqual(
        found.flat().sort((a, b) => a - b),
        line,
      );
      assert.deepEqual(
        found.map((page) => page.length),
        [2, 2, 2],
      );
    }
  },
  "threads are listed with their status, and by status, definition and a piece of the key [EN-17]": async (
    scenario,
  ) => {
    const { store, tenant } = scenario;
    for (const [i, key] of ["ann:1", "bob:2", "Ann:3", "eve:4"].entries()) {
      const ids = turn(0, key);
      const given = { ...beginQueued(ids), thread: threadRow(key, { updatedAt: T0 + i }) };
      const execution = { ...given.execution, definition: i % 2 === 0 ? "desk" : "sales" };
      await store.begin(tenant, { ...given, execution });
    }
    await store.begin(tenant, beginRunning(tenant, turn(1, "bob:2"), { fence: 1, expectedSeq: 0 }));
    await play(scenario, 1, "zoe:5");
    await store.setClosed(tenant, deriveId("context", "zoe:5"), true, T0 + 9);
    const keys = async (options: Parameters<typeof store.list>[1]) =>
      (await store.list(tenant, options)).rows.map(({ key }) => key).sort();
    same((await store.list(tenant)).rows.find(({ key }) => key === "zoe:5")!.status, "closed");
    assert.deepEqual(await keys({ status: "running" }), ["bob:2"]);
    assert.deepEqual(await keys({ status: "closed" }), ["zoe:5"]);
    assert.deepEqual(await keys({ status: "open" }), ["Ann:3", "ann:1", "eve:4"]);
    assert.deepEqual(await keys({ definition: "sales" }), ["eve:4"]);
    assert.deepEqual(await keys({ q: "ANN" }), ["Ann:3", "ann:1"]);
    assert.deepEqual(await keys({ q: "ann", definition: "desk", status: "open" }), ["Ann:3", "ann:1"]);
    assert.deepEqual(await keys({ q: "%" }), []);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(tenant, { status: "open", limit: 1, ...(cursor !== undefined && { cursor }) });
      found.push(...page.rows.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, ["eve:4", "Ann:3", "ann:1"]);
  },
  "a deleted thread is gone whole, forks included, and the receipt counts its rows [EN-17]": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 2);
    await play(scenario, 1, "other");
    const other = await store.export(tenant, deriveId("context", "other"));
    const context = contextRow("award_42", { id: "the-fork" });
    await store.fork(tenant, { from: contextId, atItemId: turn(0).reactionItemId, context });
    const running = turn(2);
    await store.begin(tenant, beginRunning(tenant, running, { fence: 1, expectedSeq: 8 }));
    await store.commit(
      tenant,
      contextId,
      { fence: 1, expectedSeq: 10 },
      {
        context: { updatedAt: T0 + 1 },
        steps: [stepRow(running, 0)],
        calls: [callRow(running, 0)],
        approvals: [approvalRow(running, 0)],
        outbox: [outboxRow(running, 0)],
        events: events(tenant, running, 10, "call-requested"),
      },
    );
    await store.begin(tenant, beginQueued(turn(3)));
    const bundle = (await store.export(tenant, contextId))!;
    const receipt = (await store.deleteThread(tenant, { key: "award_42" }))!;
    same(
      { ...receipt, counts: undefined, contextIds: [...receipt.contextIds].sort() },
      {
        threadId: bundle.thread.id,
        key: "award_42",
        contextIds: [contextId, "the-fork"].sort(),
      },
    );
    same(
      { ...receipt.counts, journal: undefined },
      {
        threads: 1,
        contexts: 2,
        items: bundle.items.length,
        executions: bundle.executions.length,
        steps: bundle.steps.length,
        parts: bundle.parts.length,
        calls: 1,
        approvals: 1,
        outbox: 1,
        triggers: bundle.triggers!.length,
      },
    );
    assert.ok(receipt.counts["journal"]! > 0);
    for (const id of [contextId, "the-fork"]) {
      assert.equal(await store.export(tenant, id), undefined);
      assert.deepEqual(await store.history(tenant, id, { items: 40 }), []);
      assert.deepEqual(await store.journal(tenant, id, 0), []);
    }
    assert.equal(await store.load(tenant, { key: "award_42" }), undefined);
    assert.equal(await store.execution(tenant, running.executionId), undefined);
    assert.equal(await store.approval(tenant, approvalRow(running, 0).id), undefined);
    assert.deepEqual(
      (await store.list(tenant)).rows.map(({ key }) => key),
      ["other"],
    );
    const swept = await store.system().sweep({ before: T0 + 1_000_000, limit: 1_000 });
    assert.equal(
      swept.some((one) => one.tenant === tenant),
      false,
    );
    const late = await store.system().outbox({ before: T0 + 1_000_000, limit: 1_000 });
    assert.equal(
      late.some((one) => one.tenant === tenant),
      false,
    );
    // Its holder learns of it, a neighbour notices nothing, and doing it again does nothing.
    const guard = { fence: 1, expectedSeq: 11 };
    await rejects(
      store.commit(tenant, contextId, guard, { context: { updatedAt: T0 }, events: [] }),
      "CONTEXT_NOT_FOUND",
    );
    same(await store.export(tenant, deriveId("context", "other")), other);
    assert.equal(await store.deleteThread(tenant, { key: "award_42" }), undefined);
  },
  "the address of a deleted thread is free again [EN-17]": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 2);
    await store.deleteThread(tenant, { contextId });
    await play(scenario, 1);
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same([found.context.seq, found.context.status], [4, "open"]);
    assert.equal((await store.history(tenant, contextId, { items: 40 })).length, 2);
    assert.equal((await store.list(tenant)).rows.length, 1);
  },
  "a page without a sensible limit is refused, and does not search for ever [EN-17]": async ({ store, tenant }) => {
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      await rejects(store.list(tenant, { limit }), "INVALID_OPTIONS");
      await rejects(store.history(tenant, contextId, { limit }), "INVALID_OPTIONS");
    }
  },
  "deleting stays in its tenant [EN-17]": async (scenario) => {
    const { store, tenant } = scenario;
    await play(scenario, 1);
    assert.equal(await store.deleteThread(`${tenant}-2`, { key: "award_42" }), undefined);
    assert.equal(await store.deleteThread(`${tenant}-2`, { contextId }), undefined);
    assert.ok(await store.load(tenant, { key: "award_42" }));
  },
} satisfies Record<string, Clause>;
