import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import type { Changes } from "../store.ts";
import { beginQueued, beginRunning, ending, events, partRow, playTurn, stepRow, T0, turnIds } from "./rows.ts";
import { rejects, same, type Clause } from "./scenario.ts";

const ids = turnIds("award_42", "m1");
const nothing: Changes = { context: { updatedAt: T0 }, events: [] };

export const guardClauses = {
  "sequence numbers are contiguous and the context's is the last": async ({ store, tenant }) => {
    await playTurn(store, tenant, ids, 0);
    await playTurn(store, tenant, turnIds("award_42", "m2"), 4);
    const all = await store.journal(tenant, ids.contextId, 0);
    assert.deepEqual(
      all.map((event) => event.seq),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    assert.equal((await store.load(tenant, { key: "award_42" }))!.context.seq, 8);
  },
  "events with a gap, or of another context or tenant, are refused whole": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const wrong = [
      events(tenant, ids, 3, "part-created"),
      [...events(tenant, ids, 2, "part-created"), ...events(tenant, ids, 2, "part-created")],
      events("another", ids, 2, "part-created"),
      events(tenant, turnIds("other", "m"), 2, "part-created"),
    ];
    for (const given of wrong) {
      await rejects(
        store.commit(
          tenant,
          ids.contextId,
          { fence: 1, expectedSeq: 2 },
          { ...nothing, parts: [partRow(ids, 0, "x")], events: given },
        ),
        "INTERNAL",
      );
    }
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same([found.context.seq, found.active!.parts], [2, []]);
  },
  "the same trigger again gives the first execution and writes nothing": async ({ store, tenant }) => {
    const first = await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    await store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 2 }, ending(tenant, ids, 2, 2));
    const before = await store.export(tenant, ids.contextId);
    for (const again of [beginQueued(ids), beginRunning(tenant, ids, { fence: 0, expectedSeq: 77 })]) {
      const second = await store.begin(tenant, again);
      assert.equal(second.duplicate, true);
      same([second.execution.id, second.execution.status, second.seq], [first.execution.id, "completed", 4]);
    }
    same(await store.export(tenant, ids.contextId), before);
  },
  "the same trigger many times at once makes one execution": async ({ store, tenant }) => {
    const all = await Promise.all(Array.from({ length: 20 }, () => store.begin(tenant, beginQueued(ids))));
    assert.equal(all.filter((one) => !one.duplicate).length, 1);
    assert.deepEqual(new Set(all.map((one) => one.execution.id)), new Set([ids.executionId]));
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same([found.queued.length, found.context.inboxSeq], [1, 1]);
  },
  "a trigger id with another payload is a mismatch": async ({ store, tenant }) => {
    await store.begin(tenant, beginQueued(ids, { text: "a" }));
    await rejects(store.begin(tenant, beginQueued(ids, { text: "b" })), "TRIGGER_MISMATCH");
    await rejects(
      store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }, { text: "b" })),
      "TRIGGER_MISMATCH",
    );
  },
  "a begin that disagrees about the ids of a thread is a conflict": async ({ store, tenant }) => {
    await store.begin(tenant, beginQueued(ids));
    const next = turnIds("award_42", "m2");
    const given = beginQueued(next);
    const otherThread = { ...given.thread, id: "another-id" };
    await rejects(
      store.begin(tenant, { ...given, thread: otherThread, context: { ...given.context, threadId: "another-id" } }),
      "VERSION_CONFLICT",
    );
    const elsewhere = turnIds("award_42", "m2", "another-context");
    await rejects(
      store.begin(tenant, {
        ...beginQueued(elsewhere),
        thread: otherThread,
        context: { ...given.context, id: "another-context", threadId: "another-id" },
      }),
      "VERSION_CONFLICT",
    );
    same((await store.load(tenant, { key: "award_42" }))!.queued.length, 1);
  },
  "an older fence is refused by every holder write": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 5, expectedSeq: 0 }));
    await store.takeOver(tenant, ids.contextId, 9);
    await rejects(store.commit(tenant, ids.contextId, { fence: 5, expectedSeq: 2 }, nothing), "STALE_FENCE");
    await rejects(store.takeOver(tenant, ids.contextId, 8), "STALE_FENCE");
    const late = turnIds("award_42", "m2");
    await rejects(store.begin(tenant, beginRunning(tenant, late, { fence: 5, expectedSeq: 2 })), "STALE_FENCE");
    // The older fence is what is wrong, also when the sequence is.
    await rejects(store.commit(tenant, ids.contextId, { fence: 5, expectedSeq: 0 }, nothing), "STALE_FENCE");
    same((await store.load(tenant, { key: "award_42" }))!.context.fence, 9);
    await store.commit(tenant, ids.contextId, { fence: 9, expectedSeq: 2 }, nothing);
    await store.commit(tenant, ids.contextId, { fence: 12, expectedSeq: 2 }, nothing);
    await rejects(store.commit(tenant, ids.contextId, { fence: 9, expectedSeq: 2 }, nothing), "STALE_FENCE");
  },
  "another sequence is a version conflict and registers nothing": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 5, expectedSeq: 0 }));
    for (const expectedSeq of [0, 1, 3]) {
      const error = await rejects(
        store.commit(tenant, ids.contextId, { fence: 6, expectedSeq }, nothing),
        "VERSION_CONFLICT",
      );
      assert.equal(error.retryable, true);
      assert.notEqual(error.details["inbox"], true);
    }
    same((await store.load(tenant, { key: "award_42" }))!.context.fence, 5);
    await rejects(
      store.begin(tenant, beginRunning(tenant, turnIds("award_42", "m2"), { fence: 6, expectedSeq: 1 })),
      "VERSION_CONFLICT",
    );
    await rejects(
      store.begin(tenant, beginRunning(tenant, turnIds("new", "m"), { fence: 6, expectedSeq: 1 })),
      "VERSION_CONFLICT",
    );
    assert.equal(await store.load(tenant, { key: "new" }), undefined);
  },
  "an inbox that has moved is a version conflict that says so": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    await store.begin(tenant, beginQueued(turnIds("award_42", "m2")));
    const error = await rejects(
      store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 2, expectedInboxSeq: 0 }, ending(tenant, ids, 2, 2)),
      "VERSION_CONFLICT",
    );
    assert.equal(error.details["inbox"], true);
    same((await store.load(tenant, { key: "award_42" }))!.context.seq, 2);
    same(
      await store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 2, expectedInboxSeq: 1 },
        ending(tenant, ids, 2, 2),
      ),
      { seq: 4, inboxSeq: 1 },
    );
  },
  "of many committers at one sequence exactly one wins, each time": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    for (let seq = 2; seq < 12; seq++) {
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) =>
          store.commit(
            tenant,
            ids.contextId,
            { fence: 1, expectedSeq: seq },
            { ...nothing, parts: [partRow(ids, seq, `by ${i}`)], events: events(tenant, ids, seq, "part-created") },
          ),
        ),
      );
      assert.equal(tries.filter((one) => one.status === "fulfilled").length, 1);
      for (const one of tries)
        if (one.status === "rejected") assert.equal((one.reason as HebraError).code, "VERSION_CONFLICT");
    }
    const found = (await store.load(tenant, { key: "award_42" }))!;
    same([found.context.seq, found.active!.parts.length], [12, 10]);
    assert.equal((await store.journal(tenant, ids.contextId, 0)).length, 12);
  },
  "a row that is refused in the middle of a write leaves nothing of it": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const before = await store.export(tenant, ids.contextId);
    const good = events(tenant, ids, 2, "part-created");
    const bad = { ...partRow(ids, 1, "x"), content: { kind: "text" as const, text: "\ud800" } };
    const neighbour = playTurn(store, tenant, turnIds("neighbour", "m"), 0);
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 2, expectedSeq: 2 },
        {
          context: { updatedAt: T0 + 1, state: { moved: true } },
          steps: [stepRow(ids, 1)],
          parts: [partRow(ids, 0, "fine"), bad],
          events: good,
        },
      ),
      "NOT_SERIALIZABLE",
    );
    const foreign = { ...partRow(ids, 1, "x"), contextId: "another" };
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 2, expectedSeq: 2 },
        { ...nothing, steps: [stepRow(ids, 1)], parts: [partRow(ids, 0, "fine"), foreign], events: good },
      ),
      "INVALID_ID",
    );
    const odd = { ...stepRow(ids, 1), status: "strange" as "running" };
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 2, expectedSeq: 2 },
        { ...nothing, parts: [partRow(ids, 0, "fine")], steps: [odd], events: good },
      ),
      "NOT_SERIALIZABLE",
    );
    same(await store.export(tenant, ids.contextId), before);
    const next = turnIds("award_42", "m2");
    const begin = beginRunning(tenant, next, { fence: 2, expectedSeq: 2 });
    await rejects(store.begin(tenant, { ...begin, steps: [{ ...stepRow(next, 0), id: "" }] }), "INVALID_ID");
    same(await store.export(tenant, ids.contextId), before);
    same((await neighbour).seq, 4);
    // Nothing of it is remembered: the same turn can still begin.
    assert.equal((await store.begin(tenant, begin)).duplicate, false);
  },
  "a holder's write cannot touch a row of another context": async ({ store, tenant }) => {
    const other = turnIds("other", "m1");
    await playTurn(store, tenant, other, 0);
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const before = await store.export(tenant, other.contextId);
    const turn = ending(tenant, ids, 2, 2).executions![0]!;
    await store
      .commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 2 },
        { ...nothing, executions: [{ ...turn, id: other.executionId }], events: [] },
      )
      .catch((error: unknown) => assert.ok(HebraError.isInstance(error)));
    same(await store.export(tenant, other.contextId), before);
  },
} satisfies Record<string, Clause>;
