import assert from "node:assert/strict";
import { bundleCounts, bundleDigest } from "../bundle.ts";
import type { ContextBundle } from "../store.ts";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  contextRow,
  ending,
  events,
  importedBundle,
  itemRow,
  outboxRow,
  playTurn,
  T0,
  threadRow,
  turnIds,
} from "./rows.ts";
import { rejects, same, type Clause, type Scenario } from "./scenario.ts";

const ids = turnIds("award_42", "m1");
const copy = (bundle: ContextBundle): ContextBundle => structuredClone(bundle);

/** A context with a row in every table, and everything unfinished that there is. */
async function busy({ store, tenant }: Pick<Scenario, "store" | "tenant">): Promise<ContextBundle> {
  await store.begin(tenant, beginRunning(tenant, ids, { fence: 4, expectedSeq: 0 }));
  await store.commit(
    tenant,
    ids.contextId,
    { fence: 4, expectedSeq: 2 },
    {
      ...ending(tenant, ids, 2, 2),
      calls: [callRow(ids, 0, { status: "awaiting_approval" })],
      approvals: [approvalRow(ids, 0)],
      outbox: [outboxRow(ids, 0)],
    },
  );
  await store.begin(tenant, beginQueued(turnIds("award_42", "m2")));
  await store.requestCancel(tenant, turnIds("award_42", "m2").executionId, { by: "ann", at: T0 });
  return (await store.export(tenant, ids.contextId))!;
}

export const transferClauses = {
  "an imported context reads like one that grew here": async ({ store, tenant }) => {
    const bundle = importedBundle("old", 3);
    const done = await store.import(tenant, copy(bundle));
    same(done, { changed: true, counts: bundleCounts(bundle), digest: bundleDigest(bundle) });
    same(done.counts["items"], 6);
    const found = (await store.load(tenant, { key: "old" }))!;
    same(found.context, bundle.context);
    same(found.thread, bundle.thread);
    same(
      (await store.history(tenant, bundle.context.id, { items: 4 })).map((entry) => [
        entry.item.seq,
        entry.parts.length,
      ]),
      [
        [3, 0],
        [4, 1],
        [5, 0],
        [6, 1],
      ],
    );
    assert.equal(bundleDigest((await store.export(tenant, bundle.context.id))!), done.digest);
    // And goes on.
    same((await playTurn(store, tenant, turnIds("old", "new"), 6)).seq, 10);
  },
  "a holder's write can bring in turns of another engine, with what began them": async ({ store, tenant }) => {
    await playTurn(store, tenant, ids, 0);
    const other = turnIds("award_42", "other");
    const { trigger, execution } = beginRunning(tenant, other, { fence: 1, expectedSeq: 4 });
    const provenance = { source: "contract", id: "1" };
    const changes = {
      context: { updatedAt: T0 },
      executions: [{ ...execution, status: "completed" as const, outcome: "stop", endedAt: T0, provenance }],
      items: [
        itemRow(other, "trigger", 5, { provenance }),
        itemRow(other, "reaction", 6, { provenance, status: "completed" }),
      ],
      triggers: [trigger],
      events: events(tenant, other, 4, "item-created", "item-created"),
    };
    await rejects(
      store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 4 },
        { ...changes, triggers: [{ ...trigger, contextId: "another" }] },
      ),
      "INVALID_ID",
    );
    await store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 4 }, changes);
    const again = await store.begin(tenant, beginQueued(other));
    same([again.duplicate, again.execution.id, again.execution.status], [true, other.executionId, "completed"]);
    await rejects(store.begin(tenant, beginQueued(other, "another payload")), "TRIGGER_MISMATCH");
    same((await store.export(tenant, ids.contextId))!.triggers!.map(({ triggerId }) => triggerId).sort(), [
      "m1",
      "other",
    ]);
  },
  "the same bundle again changes nothing": async ({ store, tenant }) => {
    const bundle = importedBundle("old", 2);
    const first = await store.import(tenant, bundle);
    const shuffled = {
      ...copy(bundle),
      items: copy(bundle).items.reverse(),
      parts: copy(bundle).parts.reverse(),
      approvals: [],
      journal: [],
    };
    same(await store.import(tenant, shuffled), { ...first, changed: false });
  },
  "a bundle with more rows replaces what an import wrote": async ({ store, tenant }) => {
    await store.import(tenant, importedBundle("old", 2));
    const grown = importedBundle("old", 3);
    grown.parts[0]!.content = { kind: "text", text: "corrected" };
    const done = await store.import(tenant, grown);
    same([done.changed, done.digest], [true, bundleDigest(grown)]);
    assert.equal(bundleDigest((await store.export(tenant, grown.context.id))!), done.digest);
    same((await store.import(tenant, grown)).changed, false);
  },
  "a bundle with fewer rows is a conflict": async ({ store, tenant }) => {
    await store.import(tenant, importedBundle("old", 3));
    await rejects(store.import(tenant, importedBundle("old", 2)), "IMPORT_CONFLICT");
    const lacking = importedBundle("old", 3);
    lacking.calls.pop();
    await rejects(store.import(tenant, lacking), "IMPORT_CONFLICT");
    assert.equal(
      bundleDigest((await store.export(tenant, lacking.context.id))!),
      bundleDigest(importedBundle("old", 3)),
    );
  },
  "rows that no import wrote are never overwritten": async (scenario) => {
    const { store, tenant } = scenario;
    await busy(scenario);
    const before = await store.export(tenant, ids.contextId);
    await rejects(store.import(tenant, importedBundle("award_42", 1)), "IMPORT_CONFLICT");
    same(await store.export(tenant, ids.contextId), before);
  },
  "an import that was gone on with is left alone": async ({ store, tenant }) => {
    const bundle = importedBundle("old", 1);
    for (const touch of [
      (key: string) => playTurn(store, tenant, turnIds(key, "new"), 2),
      (key: string) => store.begin(tenant, beginQueued(turnIds(key, "new"))),
      (key: string) => store.takeOver(tenant, turnIds(key, "x").contextId, 5),
      (key: string) => store.setClosed(tenant, turnIds(key, "x").contextId, true, T0),
    ]) {
      const key = `old-${String(touch)}`.slice(0, 100);
      const own = importedBundle(key, 1);
      await store.import(tenant, own);
      await touch(key);
      await rejects(store.import(tenant, importedBundle(key, 2)), "IMPORT_CONFLICT");
    }
    same((await store.import(tenant, bundle)).changed, true);
  },
  "while an import is announced nothing begins": async ({ store, tenant }) => {
    const bundle = importedBundle("old", 1);
    await store.announceImport(tenant, threadRow("old", { provenance: { source: "contract" } }), contextRow("old"));
    await store.announceImport(tenant, threadRow("old"), contextRow("old"));
    const turn = turnIds("old", "new");
    const error = await rejects(store.begin(tenant, beginQueued(turn)), "CONTEXT_MIGRATING");
    assert.equal(error.retryable, true);
    await rejects(store.begin(tenant, beginRunning(tenant, turn, { fence: 1, expectedSeq: 0 })), "CONTEXT_MIGRATING");
    same((await store.load(tenant, { key: "old" }))!.context.importing, true);
    same(await store.import(tenant, bundle), {
      changed: true,
      counts: bundleCounts(bundle),
      digest: bundleDigest(bundle),
    });
    same((await store.load(tenant, { key: "old" }))!.context.importing, false);
    same((await store.load(tenant, { key: "old" }))!.thread, bundle.thread);
    await store.announceImport(tenant, threadRow("old"), contextRow("old"));
    await store.begin(tenant, beginQueued(turn));
  },
  "a bundle that hangs together badly is refused whole": async ({ store, tenant }) => {
    const wrong: ((bundle: ContextBundle) => void)[] = [
      (bundle) => void (bundle.parts[0]!.itemId = "nothing"),
      (bundle) => void (bundle.steps[0]!.executionId = "nothing"),
      (bundle) => void (bundle.context.threadId = "nothing"),
    ];
    for (const spoil of wrong) {
      const bundle = importedBundle("old", 2);
      spoil(bundle);
      await rejects(store.import(tenant, bundle), "IMPORT_CONFLICT");
    }
    const foreign = importedBundle("old", 2);
    foreign.calls[1]!.contextId = "another";
    await rejects(store.import(tenant, foreign), "INVALID_ID");
    const broken = importedBundle("old", 2);
    broken.parts[1]!.content = { kind: "text", text: "\udc00" };
    await rejects(store.import(tenant, broken), "NOT_SERIALIZABLE");
    assert.equal(await store.load(tenant, { key: "old" }), undefined);
    assert.deepEqual((await store.list(tenant)).rows, []);
  },
  "a key that belongs to another thread is a conflict": async ({ store, tenant }) => {
    await playTurn(store, tenant, turnIds("old", "m1"), 0);
    const bundle = importedBundle("old", 1);
    bundle.thread.id = bundle.context.threadId = "another-thread";
    bundle.context.id = "another-context";
    for (const rows of [bundle.items, bundle.executions, bundle.steps, bundle.parts, bundle.calls])
      for (const row of rows) row.contextId = "another-context";
    await rejects(store.import(tenant, bundle), "IMPORT_CONFLICT");
    await rejects(store.announceImport(tenant, bundle.thread, bundle.context), "IMPORT_CONFLICT");
  },
  "an export holds every row, and comes back whole elsewhere": async (scenario) => {
    const { store, tenant } = scenario;
    const bundle = await busy(scenario);
    same(bundleCounts(bundle), {
      threads: 1,
      contexts: 1,
      items: 3,
      executions: 2,
      steps: 1,
      parts: 1,
      calls: 1,
      approvals: 1,
      outbox: 1,
      triggers: 2,
      journal: 4,
    });
    const elsewhere = `${tenant}-copy`;
    const done = await store.import(elsewhere, copy(bundle));
    const back = (await store.export(elsewhere, ids.contextId))!;
    assert.ok(back.journal!.every((event) => event.tenant === elsewhere));
    same({ ...back, journal: back.journal!.map((event) => ({ ...event, tenant })) }, bundle);
    assert.equal(done.digest, bundleDigest(back));
    assert.equal(done.digest, bundleDigest(bundle));
    same(await store.load(elsewhere, { key: "award_42" }), await store.load(tenant, { key: "award_42" }));
    assert.equal((await store.begin(elsewhere, beginQueued(ids))).duplicate, true);
    await rejects(
      store.commit(elsewhere, ids.contextId, { fence: 3, expectedSeq: 4 }, { context: { updatedAt: T0 }, events: [] }),
      "STALE_FENCE",
    );
  },
  "a fork is exported by itself": async (scenario) => {
    const { store, tenant } = scenario;
    await busy(scenario);
    await store.fork(tenant, {
      from: ids.contextId,
      atItemId: ids.triggerItemId,
      context: contextRow("award_42", { id: "fork" }),
    });
    const bundle = (await store.export(tenant, "fork"))!;
    same([bundle.items, bundle.context.parentSeq, bundle.thread.id], [[], 1, threadRow("award_42").id]);
  },
  "the digest sees every column, and no order": async () => {
    const bundle = importedBundle("old", 2);
    const whole = bundleDigest(bundle);
    assert.equal(
      bundleDigest({
        ...copy(bundle),
        executions: copy(bundle)
          .executions.reverse()
          .map((row) => Object.fromEntries(Object.entries(row).reverse()) as unknown as typeof row),
      }),
      whole,
    );
    const changes: ((b: ContextBundle) => void)[] = [
      (b) => void (b.context.state = { note: "other" }),
      (b) => void b.context.seq++,
      (b) => void (b.items[0]!.metadata = { a: 1 }),
      (b) => void b.items[1]!.updatedAt++,
      (b) => void (b.calls[0]!.output = {}),
      (b) => void (b.parts[0]!.provenance = null),
      (b) => void (b.executions[0]!.cancelRequestedAt = 1),
      (b) => void b.steps.pop(),
      (b) =>
        void (b.triggers = [
          { v: 1, contextId: b.context.id, triggerId: "m0", digest: "x", executionId: "y", createdAt: 1 },
        ]),
      (b) => void (b.journal = events("t", turnIds("old", "m0"), 0, "item-created")),
    ];
    for (const change of changes) {
      const other = copy(bundle);
      change(other);
      assert.notEqual(bundleDigest(other), whole, String(change));
    }
  },
} satisfies Record<string, Clause>;
