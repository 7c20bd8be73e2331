import assert from "node:assert/strict";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  executionRow,
  itemRow,
  playTurn,
  T0,
  turnIds,
} from "./rows.ts";
import { eventually, rejects, same, type Clause, type Scenario } from "./scenario.ts";

const ids = turnIds("award_42", "m1");
const guard = { fence: 1, expectedSeq: 2 };

/** A running turn that waits for two approvals. */
async function asking({ store, tenant }: Pick<Scenario, "store" | "tenant">): Promise<void> {
  await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
  await store.commit(tenant, ids.contextId, guard, {
    context: { updatedAt: T0, status: "waiting" },
    calls: [callRow(ids, 0, { status: "awaiting_approval" }), callRow(ids, 1, { status: "awaiting_approval" })],
    approvals: [approvalRow(ids, 0), approvalRow(ids, 1, { expiresAt: null })],
    events: events(tenant, ids, 2, "approval-requested", "approval-requested"),
  });
}

export const inboxClauses = {
  "a queued turn takes a place in the inbox, none in the order": async ({ store, tenant }) => {
    const given = beginQueued(ids);
    const begun = await store.begin(tenant, given);
    same(
      [begun.duplicate, begun.seq, begun.inboxSeq, begun.execution.inboxSeq, begun.execution.status],
      [false, 0, 1, 1, "queued"],
    );
    const second = turnIds("award_42", "m2");
    assert.equal((await store.begin(tenant, beginQueued(second))).inboxSeq, 2);
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same(
      [found.context.seq, found.context.inboxSeq, found.context.fence, found.context.status, found.active],
      [0, 2, 0, "open", undefined],
    );
    same(
      found.queued.map((one) => [one.execution.id, one.execution.inboxSeq, one.trigger]),
      [
        [ids.executionId, 1, given.items[0]],
        [second.executionId, 2, beginQueued(second).items[0]],
      ],
    );
    same(await store.history(tenant, ids.contextId, { items: 40 }), []);
    same(await store.journal(tenant, ids.contextId, 0), []);
  },
  "a holder takes a queued turn up": async ({ store, tenant }) => {
    await store.begin(tenant, beginQueued(ids));
    const snapshot = await store.takeOver(tenant, ids.contextId, 3);
    same([snapshot.context.fence, snapshot.context.seq, snapshot.queued.length], [3, 0, 1]);
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 3, expectedSeq: 0, expectedInboxSeq: 1 },
      {
        context: { status: "running", currentExecutionId: ids.executionId, updatedAt: T0 },
        executions: [executionRow(ids, { inboxSeq: 1 })],
        items: [itemRow(ids, "trigger", 1), itemRow(ids, "reaction", 2)],
        events: events(tenant, ids, 0, "item-created", "item-created"),
      },
    );
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same(
      [found.queued.length, found.active!.items.map((item) => item.seq), found.active!.execution.status],
      [0, [1, 2], "running"],
    );
    assert.equal((await store.history(tenant, ids.contextId, { items: 40 })).length, 2);
  },
  "a trigger is attached to an execution that is open, and queued when it is not": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const second = beginQueued(turnIds("award_42", "m2"));
    const begun = await store.begin(tenant, { ...second, attachTo: ids.executionId });
    same(
      [begun.attached, begun.duplicate, begun.execution.id, begun.seq, begun.inboxSeq],
      [true, false, ids.executionId, 2, 1],
    );
    const again = await store.begin(tenant, { ...second, attachTo: ids.executionId });
    same([again.attached, again.duplicate, again.execution.id, again.inboxSeq], [true, true, ids.executionId, 1]);
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same(found.queued, []);
    same(
      found.active!.items.map((item) => [item.id, item.seq]),
      [
        [found.active!.execution.triggerItemId, 1],
        [found.active!.execution.reactionItemId, 2],
        [second.items[0]!.id, null],
      ],
    );
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 2, expectedInboxSeq: 0 },
        { context: { updatedAt: T0 }, events: events(tenant, ids, 2, "step-ended") },
      ),
      "VERSION_CONFLICT",
    );
    await store.requestCancel(tenant, ids.executionId, { at: T0 });
    await store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 2 }, ending(tenant, ids, 2, 2));
    const third = beginQueued(turnIds("award_42", "m3"));
    const queued = await store.begin(tenant, { ...third, attachTo: ids.executionId });
    same([queued.attached, queued.execution.id, queued.execution.status], [false, third.execution.id, "queued"]);
    const fourth = beginQueued(turnIds("award_42", "m4"));
    assert.equal((await store.begin(tenant, { ...fourth, attachTo: third.execution.id })).attached, true);
    same(
      (await store.load(tenant, { key: "award_42" }))!.queued.map((turn) => [
        turn.execution.id,
        turn.trigger.id,
        turn.attached.map(({ id }) => id),
      ]),
      [[third.execution.id, third.items[0]!.id, [fourth.items[0]!.id]]],
    );
  },
  "a trigger joins no execution whose cancellation was requested": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    await store.requestCancel(tenant, ids.executionId, { at: T0 });
    const next = beginQueued(turnIds("award_42", "m2"));
    const queued = await store.begin(tenant, { ...next, attachTo: ids.executionId });
    same([queued.attached, queued.execution.id, queued.execution.status], [false, next.execution.id, "queued"]);
  },
  "what is attached is heard in the order in which it came, whatever clocks and ids say": async ({ store, tenant }) => {
    const came = ["m2", "m3", "m4", "m5", "m6", "m7", "m8"].map((id) => beginQueued(turnIds("award_42", id)));
    const itemIds = came.map(({ items }) => items[0]!.id);
    const attachAll = async (attachTo: string, of: typeof came) => {
      for (const begin of of) assert.equal((await store.begin(tenant, { ...begin, attachTo })).attached, true);
    };
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const next = beginQueued(turnIds("award_42", "next"));
    await store.begin(tenant, next);
    await attachAll(ids.executionId, came.slice(0, 4));
    await attachAll(next.execution.id, came.slice(4));
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same(
      found.active!.items.slice(2).map(({ id }) => id),
      itemIds.slice(0, 4),
    );
    same(
      (await store.execution(tenant, ids.executionId))!.items.slice(2).map(({ id }) => id),
      itemIds.slice(0, 4),
    );
    same(
      found.queued.map(({ attached }) => attached.map(({ id }) => id)),
      [itemIds.slice(4)],
    );
  },
  "inbox writes need no fence, and never move the sequence": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    await store.takeOver(tenant, ids.contextId, 50);
    await store.begin(tenant, beginQueued(turnIds("award_42", "m2")));
    await store.requestCancel(tenant, ids.executionId, { at: T0 });
    await store.decideApproval(tenant, approvalRow(ids, 0).id, { decision: "approved", at: T0 });
    const { context } = (await store.load(tenant, { key: "award_42" }))!;
    same([context.seq, context.inboxSeq, context.fence], [4, 3, 50]);
  },
  "a request to cancel stays, is made once, and no holder's write undoes it": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    await store.requestCancel(tenant, ids.executionId, { by: "ann", reason: "changed \u0000 mind", at: T0 + 1 });
    await store.requestCancel(tenant, ids.executionId, { by: "bob", at: T0 + 2 });
    const asked = { cancelRequestedAt: T0 + 1, cancelRequest: { by: "ann", reason: "changed \u0000 mind" } };
    const graph = (await store.execution(tenant, ids.executionId))!;
    same(graph.execution, { ...executionRow(ids), ...asked });
    const { seq, inboxSeq } = await store.commit(tenant, ids.contextId, guard, {
      context: { updatedAt: T0 },
      executions: [executionRow(ids, { attempt: 2 })],
      events: [],
    });
    same([seq, inboxSeq], [2, 1]);
    same((await store.execution(tenant, ids.executionId))!.execution, {
      ...executionRow(ids, { attempt: 2 }),
      ...asked,
    });
    await store.commit(tenant, ids.contextId, guard, ending(tenant, ids, 2, 2));
    same((await store.execution(tenant, ids.executionId))!.execution.cancelRequestedAt, T0 + 1);
    // Ended: asking again does nothing.
    await store.requestCancel(tenant, ids.executionId, { at: T0 + 3 });
    same((await store.load(tenant, { key: "award_42" }))!.context.inboxSeq, 1);
  },
  "an ended turn is not asked to cancel": async ({ store, tenant }) => {
    await playTurn(store, tenant, ids, 0);
    await store.requestCancel(tenant, ids.executionId, { at: T0 });
    const { execution } = (await store.execution(tenant, ids.executionId))!;
    same([execution.cancelRequestedAt, (await store.load(tenant, { key: "award_42" }))!.context.inboxSeq], [null, 0]);
  },
  "a decision is written, its repetition is no error, another is": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    const { id } = approvalRow(ids, 0);
    const given = {
      decision: "approved" as const,
      editedInput: { q: [1] },
      by: "ann",
      comment: "go\u0000on",
      at: T0 + 5,
    };
    const expected = {
      ...approvalRow(ids, 0),
      status: "approved",
      decidedAt: T0 + 5,
      decidedBy: "ann",
      comment: "go\u0000on",
      editedInput: { input: { q: [1] } },
      updatedAt: T0 + 5,
    };
    same(await store.decideApproval(tenant, id, given), expected);
    same(await store.decideApproval(tenant, id, { ...given, at: T0 + 90_000, by: "bob" }), expected);
    await rejects(store.decideApproval(tenant, id, { decision: "denied", at: T0 + 6 }), "APPROVAL_DECIDED");
    await rejects(store.decideApproval(tenant, id, { decision: "approved", at: T0 + 6 }), "APPROVAL_DECIDED");
    same(await store.approval(tenant, id), expected);
    same((await store.load(tenant, { key: "award_42" }))!.context.inboxSeq, 1);
    const other = approvalRow(ids, 1).id;
    same((await store.decideApproval(tenant, other, { decision: "denied", at: T0 + 1e9 })).status, "denied");
  },
  "many deciders at once: one decision stands": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    const { id } = approvalRow(ids, 0);
    const all = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        store.decideApproval(tenant, id, { decision: i % 2 === 0 ? "approved" : "denied", at: T0 }),
      ),
    );
    const stood = (await store.approval(tenant, id))!.status;
    assert.equal(all.filter((one) => one.status === "fulfilled").length, 5);
    for (const one of all) if (one.status === "fulfilled") assert.equal(one.value.status, stood);
    same((await store.load(tenant, { key: "award_42" }))!.context.inboxSeq, 1);
  },
  "a decision after the expiry is refused": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    await rejects(
      store.decideApproval(tenant, approvalRow(ids, 0).id, { decision: "approved", at: T0 + 60_000 }),
      "APPROVAL_EXPIRED",
    );
    await store.decideApproval(tenant, approvalRow(ids, 0).id, { decision: "approved", at: T0 + 59_999 });
    const expired = approvalRow(ids, 1, { status: "expired", updatedAt: T0 + 7 });
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 4 },
      { context: { updatedAt: T0 }, approvals: [expired], events: [] },
    );
    same(await store.approval(tenant, expired.id), expired);
    await rejects(store.decideApproval(tenant, expired.id, { decision: "approved", at: T0 }), "APPROVAL_EXPIRED");
  },
  "a holder's write never undoes a decision": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    const decided = await store.decideApproval(tenant, approvalRow(ids, 0).id, {
      decision: "denied",
      by: "ann",
      at: T0 + 5,
    });
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 4 },
      {
        context: { updatedAt: T0 },
        approvals: [approvalRow(ids, 0, { status: "cancelled" }), approvalRow(ids, 1, { status: "cancelled" })],
        events: [],
      },
    );
    same(await store.approval(tenant, decided.id), decided);
    same((await store.approval(tenant, approvalRow(ids, 1).id))!.status, "cancelled");
    await rejects(
      store.decideApproval(tenant, approvalRow(ids, 1).id, { decision: "approved", at: T0 }),
      "APPROVAL_DECIDED",
    );
  },
  "taking over registers the fence and gives all that a resume needs": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    await store.begin(tenant, beginQueued(turnIds("award_42", "m2")));
    const taken = await store.takeOver(tenant, ids.contextId, 8);
    same(taken, await store.load(tenant, { key: "award_42" }));
    same(
      [
        taken.context.fence,
        taken.context.seq,
        taken.active!.approvals.length,
        taken.active!.calls.length,
        taken.queued.length,
      ],
      [8, 4, 2, 2, 1],
    );
    await store.takeOver(tenant, ids.contextId, 8);
    await rejects(store.takeOver(tenant, ids.contextId, 7), "STALE_FENCE");
  },
  "watchers hear of inbox writes of their context, until they stop": async (scenario) => {
    const { store, tenant } = scenario;
    await asking(scenario);
    let heard = 0;
    const stop = store.watch(tenant, ids.contextId, () => heard++);
    let other = 0;
    const stopOther = store.watch(tenant, ids.contextId, () => other++);
    for (const write of [
      () => store.requestCancel(tenant, ids.executionId, { at: T0 }),
      () => store.decideApproval(tenant, approvalRow(ids, 0).id, { decision: "approved", at: T0 }),
      () => store.begin(tenant, beginQueued(turnIds("award_42", "m2"))),
    ]) {
      const before = heard;
      await write();
      await eventually(() => heard > before, "the call of the watcher");
    }
    stop();
    stop();
    const [atStop, otherBefore] = [heard, other];
    await store.begin(tenant, beginQueued(turnIds("award_42", "m3")));
    await eventually(() => other > otherBefore, "the call of the other watcher");
    assert.equal(heard, atStop);
    stopOther();
  },
} satisfies Record<string, Clause>;
