import assert from "node:assert/strict";
import { bundleDigest } from "../bundle.ts";
import { ROW_VERSION } from "../rows.ts";
import type { ThreadStore } from "../store.ts";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  executionRow,
  importedBundle,
  outboxRow,
  partRow,
  playTurn,
  T0,
  turnIds,
} from "./rows.ts";
import { eventually, rejects, same, type Clause, type Scenario } from "./scenario.ts";

const ids = turnIds("award_42", "m1");

async function another({ store, options }: Pick<Scenario, "store" | "options">): Promise<ThreadStore> {
  assert.ok(options.reopen, "this clause needs `reopen`; skip it with a reason where there is none");
  return options.reopen(store);
}

export const durabilityClauses = {
  "what was acknowledged is there when the data is opened again": async (scenario) => {
    const { store, tenant } = scenario;
    await playTurn(store, tenant, ids, 0);
    const next = turnIds("award_42", "m2");
    await store.begin(tenant, beginRunning(tenant, next, { fence: 2, expectedSeq: 4 }));
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 2, expectedSeq: 6 },
      {
        context: { updatedAt: T0, state: { n: 1 } },
        calls: [callRow(next, 0)],
        approvals: [approvalRow(next, 0)],
        outbox: [outboxRow(next, 0)],
        events: events(tenant, next, 6, "call-requested"),
      },
    );
    await store.begin(tenant, beginQueued(turnIds("award_42", "m3")));
    const before = {
      snapshot: await store.load(tenant, { key: "award_42" }),
      bundle: await store.export(tenant, ids.contextId),
    };
    // Not closed: as if its process was gone.
    const reopened = await another(scenario);
    try {
      same(await reopened.load(tenant, { key: "award_42" }), before.snapshot);
      same(await reopened.export(tenant, ids.contextId), before.bundle);
      await reopened.takeOver(tenant, ids.contextId, 3);
      await rejects(
        store.commit(tenant, ids.contextId, { fence: 2, expectedSeq: 7 }, { context: { updatedAt: T0 }, events: [] }),
        "STALE_FENCE",
      );
      assert.equal((await reopened.begin(tenant, beginQueued(turnIds("award_42", "m3")))).duplicate, true);
    } finally {
      await reopened.close();
    }
  },
  "two stores over the same data: exactly one wins each sequence": async (scenario) => {
    const { store, tenant } = scenario;
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const second = await another(scenario);
    try {
      for (let seq = 2; seq < 8; seq++) {
        const tries = await Promise.allSettled(
          [store, second, store, second].map((one, i) =>
            one.commit(
              tenant,
              ids.contextId,
              { fence: 1, expectedSeq: seq },
              {
                context: { updatedAt: T0 },
                parts: [partRow(ids, seq, `by ${i}`)],
                events: events(tenant, ids, seq, "part-created"),
              },
            ),
          ),
        );
        assert.deepEqual(tries.map((one) => one.status).sort(), ["fulfilled", "rejected", "rejected", "rejected"]);
      }
      same((await second.load(tenant, { key: "award_42" }))!.context.seq, 8);
    } finally {
      await second.close();
    }
  },
  "two stores over the same data: one trigger makes one execution, also in a new thread": async (scenario) => {
    const { store, tenant } = scenario;
    const second = await another(scenario);
    try {
      for (let n = 0; n < 10; n++) {
        const turn = turnIds(`new-${n}`, "m1");
        const all = await Promise.all(
          [store, second, store, second].map((one) => one.begin(tenant, beginQueued(turn))),
        );
        assert.deepEqual(all.map((one) => one.duplicate).sort(), [false, true, true, true]);
        // Different triggers for a thread that neither has seen.
        const both = await Promise.all(
          [store, second].map((one, i) => one.begin(tenant, beginQueued(turnIds(`other-${n}`, `m${i}`)))),
        );
        assert.deepEqual(both.map((one) => one.inboxSeq).sort(), [1, 2]);
      }
    } finally {
      await second.close();
    }
  },
  "a watcher hears of another store's inbox writes": async (scenario) => {
    const { store, tenant } = scenario;
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const second = await another(scenario);
    try {
      let heard = 0;
      const stop = second.watch(tenant, ids.contextId, () => heard++);
      await store.requestCancel(tenant, ids.executionId, { at: T0 });
      await eventually(() => heard > 0, "the call of the watcher");
      stop();
    } finally {
      await second.close();
    }
  },
  "sweep lists what may have lost its worker, never what waits for a person": async ({ store, tenant }) => {
    const [running, fresh, waiting, queued, ended] = ["running", "fresh", "waiting", "queued", "ended"].map((key) =>
      turnIds(key, "m1"),
    ) as [typeof ids, typeof ids, typeof ids, typeof ids, typeof ids];
    const start = async (turn: typeof ids, updatedAt: number) => {
      const given = beginRunning(tenant, turn, { fence: 1, expectedSeq: 0 });
      // Begun long ago, all of them: only the last touch counts.
      await store.begin(tenant, { ...given, execution: { ...given.execution, createdAt: T0 - 5_000, updatedAt } });
    };
    await start(running, T0 - 1_000);
    await start(fresh, T0 + 1_000);
    await start(waiting, T0 - 1_000);
    await store.commit(
      tenant,
      waiting.contextId,
      { fence: 1, expectedSeq: 2 },
      {
        context: { updatedAt: T0 },
        executions: [executionRow(waiting, { status: "waiting", updatedAt: T0 - 1_000 })],
        events: [],
      },
    );
    await store.begin(tenant, {
      ...beginQueued(queued),
      execution: executionRow(queued, { status: "queued", updatedAt: T0 + 5_000 }),
    });
    await playTurn(store, tenant, ended, 0);
    const found = (await store.system().sweep({ before: T0, limit: 1_000 })).filter((one) => one.tenant === tenant);
    same(found, [
      {
        tenant,
        threadId: executionRow(running).threadId,
        threadKey: "running",
        contextId: running.contextId,
        executionId: running.executionId,
        status: "running",
        definition: "desk",
        updatedAt: T0 - 1_000,
      },
      {
        tenant,
        threadId: executionRow(queued).threadId,
        threadKey: "queued",
        contextId: queued.contextId,
        executionId: queued.executionId,
        status: "queued",
        definition: "desk",
        updatedAt: T0 + 5_000,
      },
    ]);
    await store.commit(tenant, running.contextId, { fence: 1, expectedSeq: 2 }, ending(tenant, running, 2, 2));
    same(
      (await store.system().sweep({ before: T0, limit: 1_000 }))
        .filter((one) => one.tenant === tenant)
        .map((one) => one.threadKey),
      ["queued"],
    );
    assert.ok((await store.system().sweep({ before: T0, limit: 1 })).length <= 1);
  },
  "the outbox lists rows that were not handed over in time": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const rows = [
      outboxRow(ids, 0, { createdAt: T0 - 10 }),
      outboxRow(ids, 1, { createdAt: T0 - 5 }),
      outboxRow(ids, 2, { createdAt: T0 }),
    ];
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 }, outbox: rows, events: [] },
    );
    const late = async () =>
      (await store.system().outbox({ before: T0, limit: 1_000 }))
        .filter((one) => one.tenant === tenant)
        .map((one) => one.row);
    same(await late(), rows.slice(0, 2));
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { context: { updatedAt: T0 }, handedOver: [rows[0]!.id], events: [] },
    );
    same(await late(), [rows[1]]);
  },
  "an export of everything comes by tenant and id, and can be resumed": async ({ store, tenant }) => {
    const owners = [`${tenant}-a`, `${tenant}-b`];
    const digests = new Map<string, string>();
    for (const owner of owners)
      for (let i = 0; i < 4; i++)
        digests.set(
          `${owner}|${importedBundle(`k${i}`, 1).context.id}`,
          (await store.import(owner, importedBundle(`k${i}`, i))).digest,
        );
    const seen: { tenant: string; contextId: string }[] = [];
    for await (const { tenant: owner, bundle } of store.system().export()) {
      if (!owners.includes(owner)) continue;
      seen.push({ tenant: owner, contextId: bundle.context.id });
      assert.equal(bundleDigest(bundle), digests.get(`${owner}|${bundle.context.id}`));
    }
    assert.equal(seen.length, 8);
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) =>
        a.tenant === b.tenant ? (a.contextId < b.contextId ? -1 : 1) : a.tenant < b.tenant ? -1 : 1,
      ),
    );
    const rest: string[] = [];
    for await (const one of store.system().export({ after: seen[2]! }))
      if (owners.includes(one.tenant)) rest.push(one.bundle.context.id);
    assert.deepEqual(
      rest,
      seen.slice(3).map((one) => one.contextId),
    );
    const own: string[] = [];
    for await (const one of store.system().export({ tenant: owners[1]!, after: seen[5]! }))
      own.push(one.bundle.context.id);
    assert.deepEqual(
      own,
      seen.slice(6).map((one) => one.contextId),
    );
  },
  "a row of the next version is read, and stays one when it is written over; it is never taken for the whole": async ({
    store,
    tenant,
    options,
  }) => {
    await playTurn(store, tenant, ids, 0);
    if (options.age === undefined) return;
    const at = { tenant, contextId: ids.contextId, itemId: ids.triggerItemId };
    const before = await store.history(tenant, ids.contextId, { items: 40 });
    await options.age(store, at, ROW_VERSION + 1);
    same(await store.history(tenant, ids.contextId, { items: 40 }), before);
    await rejects(store.export(tenant, ids.contextId), "SCHEMA_TOO_NEW");
    await store.commit(
      tenant,
      ids.contextId,
      { fence: 1, expectedSeq: 4 },
      { context: { updatedAt: T0 }, items: [{ ...before[0]!.item, metadata: { seen: true } }], events: [] },
    );
    const [entry] = await store.history(tenant, ids.contextId, { items: 40 });
    same([entry!.item.v, entry!.item.metadata], [ROW_VERSION, { seen: true }]);
    await rejects(store.export(tenant, ids.contextId), "SCHEMA_TOO_NEW");
    await options.age(store, at, ROW_VERSION);
    same((await store.export(tenant, ids.contextId))!.items.length, 2);
  },
  "a row of a newer version is refused, in and out": async ({ store, tenant, options }) => {
    await playTurn(store, tenant, ids, 0);
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 4 },
        { context: { updatedAt: T0 }, parts: [partRow(ids, 1, "x", { v: ROW_VERSION + 1 })], events: [] },
      ),
      "SCHEMA_TOO_NEW",
    );
    const bundle = importedBundle("old", 1);
    bundle.items[0]!.v = ROW_VERSION + 1;
    await rejects(store.import(tenant, bundle), "SCHEMA_TOO_NEW");
    if (options.age === undefined) return;
    await options.age(store, { tenant, contextId: ids.contextId, itemId: ids.triggerItemId }, ROW_VERSION + 2);
    await rejects(store.history(tenant, ids.contextId, { items: 40 }), "SCHEMA_TOO_NEW");
    await options.age(store, { tenant, contextId: ids.contextId, itemId: ids.triggerItemId }, ROW_VERSION);
    same((await store.history(tenant, ids.contextId, { items: 40 })).length, 2);
  },
  "a row of an older version is read as one of this": async ({ store, tenant, options }) => {
    await playTurn(store, tenant, ids, 0);
    if (options.age === undefined) return;
    const before = await store.history(tenant, ids.contextId, { items: 40 });
    await options.age(store, { tenant, contextId: ids.contextId, itemId: ids.triggerItemId }, ROW_VERSION - 1);
    same(await store.history(tenant, ids.contextId, { items: 40 }), before);
  },
  "many threads at once, each write in its place": async ({ store, tenant }) => {
    const turns = Array.from({ length: 40 }, (_, i) => turnIds(`thread-${i}`, "m1"));
    const all = await Promise.all(turns.map((turn, i) => playTurn(store, tenant, turn, 0, 1, `answer ${i}`)));
    assert.ok(all.every((one) => one.seq === 4));
    for (const [i, turn] of turns.entries()) {
      same(
        (await store.history(tenant, turn.contextId, { items: 40 })).flatMap((entry) => entry.parts),
        [partRow(turn, 0, `answer ${i}`)],
      );
    }
  },
} satisfies Record<string, Clause>;
