import assert from "node:assert/strict";
import { deriveId } from "@hebra/core";
import {
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  outboxRow,
  partRow,
  playTurn,
  stepRow,
  T0,
  threadRow,
  turnIds,
} from "./rows.ts";
import { rejects, same, type Clause } from "./scenario.ts";

const ids = turnIds("award_42", "m1");

export const basicClauses = {
  "an unknown address, execution, approval or export is undefined": async ({ store, tenant }) => {
    assert.equal(await store.load(tenant, { key: "nobody" }), undefined);
    assert.equal(await store.load(tenant, { id: "nobody" }), undefined);
    assert.equal(await store.load(tenant, { contextId: "nobody" }), undefined);
    assert.equal(await store.execution(tenant, "nobody"), undefined);
    assert.equal(await store.approval(tenant, "nobody"), undefined);
    assert.equal(await store.export(tenant, "nobody"), undefined);
    assert.deepEqual(await store.history(tenant, "nobody", { items: 40 }), []);
    assert.deepEqual(await store.journal(tenant, "nobody", 0), []);
  },
  "a begun turn is there whole, by key, id and context id": async ({ store, tenant }) => {
    const given = beginRunning(tenant, ids, { fence: 7, expectedSeq: 0 });
    const begun = await store.begin(tenant, given);
    assert.equal(begun.duplicate, false);
    same({ seq: begun.seq, inboxSeq: begun.inboxSeq }, { seq: 2, inboxSeq: 0 });
    for (const ref of [{ key: "award_42" }, { id: given.thread.id }, { contextId: ids.contextId }]) {
      const found = await store.load(tenant, ref);
      assert.ok(found);
      same(found.thread, given.thread);
      same(found.context, {
        ...given.context,
        status: "running",
        currentExecutionId: ids.executionId,
        seq: 2,
        fence: 7,
      });
      same(found.active, {
        execution: { ...given.execution, cancelRequestedAt: null, cancelRequest: null },
        items: given.items,
        steps: given.steps,
        parts: [],
        calls: [],
        approvals: [],
      });
      same(found.queued, []);
      same(found.outbox, []);
    }
  },
  "a commit's rows are there whole, and a later put replaces them": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const call = callRow(ids, 0);
    const first = await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      {
        context: { updatedAt: T0 + 5, state: { step: 1 }, stateVersion: 2, sessions: { codex: { thread: "x" } } },
        parts: [partRow(ids, 0, "thinking")],
        calls: [call],
        events: events(tenant, ids, 2, "part-created", "call-requested"),
      },
    );
    same(first, { seq: 4, inboxSeq: 0 });
    const done = { ...call, status: "succeeded" as const, output: { ok: true }, updatedAt: T0 + 6 };
    const second = await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 4 },
      {
        context: { updatedAt: T0 + 6 },
        calls: [done],
        steps: [stepRow(ids, 0, { status: "completed" }), stepRow(ids, 1)],
        events: events(tenant, ids, 4, "call-changed"),
      },
    );
    assert.equal(second.seq, 5);
    const found = (await store.load(tenant, { contextId: ids.contextId }))!;
    same(found.active!.calls, [done]);
    same(found.active!.parts, [partRow(ids, 0, "thinking")]);
    same(found.active!.steps, [stepRow(ids, 0, { status: "completed" }), stepRow(ids, 1)]);
    same(
      [found.context.state, found.context.stateVersion, found.context.sessions, found.context.updatedAt],
      [{ step: 1 }, 2, { codex: { thread: "x" } }, T0 + 6],
    );
    same(await store.execution(tenant, ids.executionId), found.active);
  },
  "a patch leaves out what stays, and a null in it counts": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 + 1, state: null }, events: [] },
    );
    const between = (await store.load(tenant, { key: "award_42" }))!.context;
    same(
      [between.state, between.currentExecutionId, between.status, between.seq],
      [null, ids.executionId, "running", 2],
    );
    await store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 2 }, ending(tenant, ids, 2, 2));
    const after = (await store.load(tenant, { key: "award_42" }))!;
    same([after.context.state, after.context.currentExecutionId, after.active], [null, null, undefined]);
  },
  "a write to a context that is not there says so": async ({ store, tenant }) => {
    await rejects(
      store.commit(tenant, "nobody", { fence: 1, expectedSeq: 0 }, { context: { updatedAt: T0 }, events: [] }),
      "CONTEXT_NOT_FOUND",
    );
    await rejects(store.takeOver(tenant, "nobody", 1), "CONTEXT_NOT_FOUND");
    await rejects(store.setClosed(tenant, "nobody", true, T0), "CONTEXT_NOT_FOUND");
    await rejects(store.requestCancel(tenant, "nobody", { at: T0 }), "EXECUTION_NOT_FOUND");
    await rejects(store.decideApproval(tenant, "nobody", { decision: "approved", at: T0 }), "APPROVAL_NOT_FOUND");
  },
  "what goes in and what comes out is the caller's own": async ({ store, tenant }) => {
    const given = beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 });
    const state = { list: [1] };
    await store.begin(tenant, { ...given, context: { ...given.context, state } });
    state.list.push(2);
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same(found.context.state, { list: [1] });
    (found.context.state as { list: number[] }).list.push(3);
    found.active!.items.pop();
    found.active!.execution.status = "failed";
    found.thread.key = "other";
    const again = (await store.load(tenant, { key: "award_42" }))!;
    same(
      [again.context.state, again.active!.items.length, again.active!.execution.status, again.thread.key],
      [{ list: [1] }, 2, "running", "award_42"],
    );
    const events = await store.journal(tenant, ids.contextId, 0);
    events[0]!.data["n"] = 99;
    same((await store.journal(tenant, ids.contextId, 0))[0]!.data, { n: 0 });
  },
  "outbox rows wait until they were handed over": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const rows = [outboxRow(ids, 0), outboxRow(ids, 1)];
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 }, outbox: rows, events: [] },
    );
    same((await store.load(tenant, { key: "award_42" }))!.outbox, rows);
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 + 9 }, handedOver: [rows[0]!.id, "unknown"], events: [] },
    );
    same((await store.load(tenant, { key: "award_42" }))!.outbox, [rows[1]]);
    const exported = (await store.export(tenant, ids.contextId))!;
    same(
      exported.outbox!.find((row) => row.id === rows[0]!.id),
      { ...rows[0], status: "handed_over", updatedAt: T0 + 9 },
    );
  },
  "threads are listed by their newest change, page by page": async ({ store, tenant }) => {
    for (let i = 0; i < 5; i++) {
      const turn = turnIds(i < 3 ? `a:${i}` : `b%_${i}`, "m");
      const given = beginQueued(turn);
      await store.begin(tenant, { ...given, thread: threadRow(turn.key, { updatedAt: T0 + (i === 4 ? 3 : i) }) });
    }
    const expected = [3, 4, 2, 1, 0].map((i) => (i < 3 ? `a:${i}` : `b%_${i}`));
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(tenant, { limit: 2, ...(cursor !== undefined && { cursor }) });
      keys.push(...page.rows.map((row) => row.key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(new Set(keys), new Set(expected));
    assert.equal(keys.length, 5);
    assert.deepEqual(keys.slice(2), expected.slice(2));
    assert.deepEqual(
      (await store.list(tenant, { keyPrefix: "a:" })).rows.map((row) => row.key),
      ["a:2", "a:1", "a:0"],
    );
    assert.equal((await store.list(tenant, { keyPrefix: "b%" })).rows.length, 2);
    assert.equal((await store.list(tenant, { keyPrefix: "%" })).rows.length, 0);
    // A new turn brings its thread to the front.
    const again = turnIds("a:0", "m2");
    await store.begin(tenant, { ...beginQueued(again), thread: threadRow("a:0", { updatedAt: T0 + 50 }) });
    assert.equal((await store.list(tenant, { limit: 1 })).rows[0]!.key, "a:0");
    await rejects(store.list(tenant, { cursor: "nonsense" }), "INVALID_OPTIONS");
  },
  "closing and reopening": async ({ store, tenant }) => {
    await playTurn(store, tenant, ids, 0);
    await store.setClosed(tenant, ids.contextId, true, T0 + 10);
    await store.setClosed(tenant, ids.contextId, true, T0 + 11);
    same((await store.load(tenant, { key: "award_42" }))!.context.status, "closed");
    const next = turnIds("award_42", "m2");
    await rejects(store.begin(tenant, beginQueued(next)), "CONTEXT_CLOSED");
    await rejects(store.begin(tenant, beginRunning(tenant, next, { fence: 1, expectedSeq: 4 })), "CONTEXT_CLOSED");
    // The turn that came before is still answered.
    assert.equal((await store.begin(tenant, beginQueued(ids))).duplicate, true);
    await store.setClosed(tenant, ids.contextId, false, T0 + 12);
    await store.begin(tenant, beginRunning(tenant, next, { fence: 1, expectedSeq: 4 }));
    await rejects(store.setClosed(tenant, ids.contextId, true, T0 + 13), "ILLEGAL_TRANSITION");
    await rejects(store.setClosed(tenant, ids.contextId, false, T0 + 13), "ILLEGAL_TRANSITION");
  },
  "a closed store says so": async ({ store, tenant }) => {
    await store.close();
    await store.close();
    await rejects(store.load(tenant, { key: "award_42" }), "CLOSED");
    await rejects(store.begin(tenant, beginQueued(ids)), "CLOSED");
  },
  "ids that are derived may hold anything an id may": async ({ store, tenant }) => {
    for (const key of [
      "__proto__",
      "constructor",
      "a/b%2F",
      "ключ 🧵",
      "'; drop table x; --",
      '"{}[]"',
      "a:b:c",
      "*?[x]",
    ]) {
      const turn = turnIds(key, key, deriveId("context", key));
      await store.begin(tenant, beginRunning(tenant, turn, { fence: 1, expectedSeq: 0 }));
      assert.equal((await store.load(tenant, { key }))!.thread.key, key);
      assert.equal((await store.begin(tenant, beginQueued(turn))).duplicate, true);
    }
  },
} satisfies Record<string, Clause>;
