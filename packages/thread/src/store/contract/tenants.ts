import assert from "node:assert/strict";
import type { ThreadStore } from "../store.ts";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  contextRow,
  events,
  importedBundle,
  outboxRow,
  playTurn,
  T0,
  threadRow,
  turnIds,
} from "./rows.ts";
import { eventually, rejects, same, type Clause, type Scenario } from "./scenario.ts";

const ids = turnIds("award_42", "m1");
const approvalId = approvalRow(ids, 0).id;

async function victim({ store, tenant }: Pick<Scenario, "store" | "tenant">): Promise<void> {
  await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
  await store.commit(
    tenant,
    ids.contextId,
    { fence: 1, expectedSeq: 2 },
    {
      context: { updatedAt: T0 },
      calls: [callRow(ids, 0)],
      approvals: [approvalRow(ids, 0)],
      outbox: [outboxRow(ids, 0)],
      events: events(tenant, ids, 2, "call-requested"),
    },
  );
}

/** One verb in the hands of another tenant, who knows every id. */
function verb(attempt: (store: ThreadStore, other: string) => Promise<void>): Clause {
  return async (scenario) => {
    const { store, tenant } = scenario;
    await victim(scenario);
    const before = await store.export(tenant, ids.contextId);
    await attempt(store, `${tenant}-other`);
    same(await store.export(tenant, ids.contextId), before);
    same((await store.load(tenant, { key: "award_42" }))!.active!.execution.cancelRequestedAt, null);
  };
}

export const tenantClauses = {
  "load stays in its tenant": verb(async (store, other) => {
    for (const ref of [{ key: "award_42" }, { id: threadRow("award_42").id }, { contextId: ids.contextId }])
      assert.equal(await store.load(other, ref), undefined);
  }),
  "execution and approval stay in their tenant": verb(async (store, other) => {
    assert.equal(await store.execution(other, ids.executionId), undefined);
    assert.equal(await store.approval(other, approvalId), undefined);
  }),
  "history and journal stay in their tenant": verb(async (store, other) => {
    assert.deepEqual(await store.history(other, ids.contextId, { items: 40 }), []);
    assert.deepEqual(await store.journal(other, ids.contextId, 0), []);
  }),
  "list and export stay in their tenant": verb(async (store, other) => {
    assert.deepEqual(await store.list(other), { rows: [], cursor: undefined });
    assert.equal(await store.export(other, ids.contextId), undefined);
    for await (const one of store.system().export({ tenant: other })) assert.fail(`found ${one.bundle.context.id}`);
  }),
  "commit and takeOver stay in their tenant": verb(async (store, other) => {
    await rejects(
      store.commit(
        other,
        ids.contextId,
        { fence: 9, expectedSeq: 3 },
        { context: { updatedAt: T0, state: 1 }, events: [] },
      ),
      "CONTEXT_NOT_FOUND",
    );
    await rejects(store.takeOver(other, ids.contextId, 9), "CONTEXT_NOT_FOUND");
  }),
  "requestCancel, decideApproval and setClosed stay in their tenant": verb(async (store, other) => {
    await rejects(store.requestCancel(other, ids.executionId, { at: T0 }), "EXECUTION_NOT_FOUND");
    await rejects(store.decideApproval(other, approvalId, { decision: "approved", at: T0 }), "APPROVAL_NOT_FOUND");
    await rejects(store.setClosed(other, ids.contextId, true, T0), "CONTEXT_NOT_FOUND");
  }),
  "fork stays in its tenant": verb(async (store, other) => {
    await rejects(
      store.fork(other, {
        from: ids.contextId,
        atItemId: ids.triggerItemId,
        context: contextRow("award_42", { id: "f" }),
      }),
      "CONTEXT_NOT_FOUND",
    );
  }),
  "begin with every id of another's turn makes rows of its own": verb(async (store, other) => {
    assert.equal(
      (await store.begin(other, beginRunning(other, ids, { fence: 3, expectedSeq: 0 }, "another payload"))).duplicate,
      false,
    );
    await store.commit(
      other,
      ids.contextId,
      { fence: 3, expectedSeq: 2 },
      {
        context: { updatedAt: T0, state: "theirs" },
        calls: [callRow(ids, 0, { name: "theirs" })],
        approvals: [approvalRow(ids, 0, { reason: "theirs" })],
        handedOver: [outboxRow(ids, 0).id],
        events: [],
      },
    );
    await store.requestCancel(other, ids.executionId, { at: T0 });
    await store.decideApproval(other, approvalId, { decision: "denied", at: T0 });
    same((await store.load(other, { key: "award_42" }))!.active!.calls[0]!.name, "theirs");
  }),
  "import and announceImport with another's ids make rows of their own": verb(async (store, other) => {
    await store.announceImport(other, threadRow("award_42"), contextRow("award_42"));
    same((await store.import(other, importedBundle("award_42", 2))).changed, true);
    same((await store.history(other, ids.contextId, { items: 40 })).length, 4);
  }),
  "watch hears of its own tenant, and not of every write of another": verb(async (store, other) => {
    let heard = 0;
    let own = 0;
    await store.begin(other, beginQueued(ids));
    const stop = store.watch(`${other}-2`, ids.contextId, () => heard++);
    const stopOwn = store.watch(other, ids.contextId, () => own++);
    // A call for nothing is allowed now and then, so one alone says nothing.
    for (let i = 0; i < 8; i++) {
      const before = own;
      await store.begin(other, beginQueued(turnIds("award_42", `more-${i}`)));
      await eventually(() => own > before, "the call of the watcher");
    }
    assert.ok(heard < 4, `heard ${heard} times of 8 writes of another tenant`);
    stop();
    stopOwn();
  }),
  "tenants whose names could run together do not": async ({ store, tenant }) => {
    const names = [
      tenant,
      `${tenant}:a`,
      `${tenant}/a`,
      `${tenant}%3Aa`,
      `${tenant}{a}`,
      `${tenant} `,
      `${tenant.toUpperCase()}`,
    ];
    for (const name of names) await playTurn(store, name, turnIds("k:a", "m:1"), 0);
    for (const name of names) {
      same((await store.list(name)).rows.length, 1);
      same((await store.journal(name, turnIds("k:a", "m").contextId, 0)).length, 4);
    }
    const found = await store.system().tenants();
    for (const name of names) assert.ok(found.includes(name), name);
    assert.equal(new Set(found).size, found.length);
  },
} satisfies Record<string, Clause>;
