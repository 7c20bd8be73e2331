import { HebraError } from "@hebra/core";
import assert from "node:assert/strict";
import { noArm, type CounterRow } from "../counter-row.ts";
import { seal, verifyEvidence, type EvidenceRecord } from "../evidence.ts";
import { rolloutPlan } from "../plan.ts";
import { initialState, type RolloutState } from "../state.ts";
import type { RolloutStore } from "./store.ts";

/** Makes a store that holds nothing; `again` opens the same data a second time, as another process would. */
export interface RolloutStoreHarness {
  readonly store: RolloutStore;
  /** Absent for stores that live in one process. */
  readonly again?: () => Promise<RolloutStore>;
}

const plan = rolloutPlan({ owner: "contract" });

function next(
  state: RolloutState | undefined,
  flag: string,
  fence = state?.fence ?? 0,
): { state: RolloutState; evidence: EvidenceRecord[] } {
  const before = state ?? initialState(flag, plan, 1_000);
  const record = seal({
    v: 1,
    flag,
    sequence: before.evidenceCount + 1,
    at: "2026-01-01T00:00:00.000Z",
    event: "attest",
    from: "off",
    to: "off",
    cause: { kind: "operator", by: "ana" },
    reason: "ünïcode ✓ and a number 1e-7",
    revision: before.revision + 1,
    fence,
    version: before.version,
    plan: "p",
    since: "2026-01-01T00:00:00.000Z",
    detail: { tiny: 1e-7, big: 2 ** 52 + 1 },
    previous: before.head,
  });
  return {
    state: { ...before, revision: before.revision + 1, fence, evidenceCount: record.sequence, head: record.hash },
    evidence: [record],
  };
}

const row = (flag: string, source: string, start: number, sequence: number, assigned: number): CounterRow => ({
  flag,
  source,
  sequence,
  start,
  end: start + 60_000,
  new: { ...noArm, assigned, durations: [[100, assigned]] },
  legacy: noArm,
});

async function refused(work: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    work,
    (error: unknown) => HebraError.isInstance(error) && error.code === code,
    `expected ${code}`,
  );
}

const byKey = (a: CounterRow, b: CounterRow) => a.start - b.start || (a.source < b.source ? -1 : 1);

/** What every {@link RolloutStore} does, by title; published so that third parties prove theirs. */
export const rolloutStoreContract: Readonly<Record<string, (harness: RolloutStoreHarness) => Promise<void>>> = {
  "knows nothing of a flag that nobody wrote": async ({ store }) => {
    assert.equal(await store.read("absent"), undefined);
    assert.deepEqual(await store.evidence("absent"), []);
    assert.deepEqual(await store.counters("absent", 0), []);
    assert.deepEqual(await store.list(), []);
  },
  "gives back what was written, character for character": async ({ store }) => {
    const commit = next(undefined, "flag/ä b");
    await store.commit(commit);
    assert.deepEqual(await store.read("flag/ä b"), commit.state);
    assert.deepEqual(await store.evidence("flag/ä b"), commit.evidence);
    assert.deepEqual(await store.list(), ["flag/ä b"]);
  },
  "chains evidence over many writes": async ({ store }) => {
    let state: RolloutState | undefined;
    for (let at = 0; at < 5; at++) {
      const commit = next(state, "f");
      await store.commit(commit);
      state = commit.state;
    }
    const records = await store.evidence("f");
    assert.equal(records.length, 5);
    verifyEvidence(records, (await store.read("f"))!.head);
  },
  "refuses a write on a revision that is gone, and leaves no trace of it": async ({ store }) => {
    const first = next(undefined, "f");
    await store.commit(first);
    await store.commit(next(first.state, "f"));
    await refused(store.commit(next(first.state, "f")), "ROLLOUT_CONFLICT");
    await refused(store.commit(next(undefined, "f")), "ROLLOUT_CONFLICT");
    assert.equal((await store.read("f"))!.revision, 2);
    assert.equal((await store.evidence("f")).length, 2);
  },
  "refuses an older fence even with the right revision, and takes large ones exactly": async ({ store }) => {
    const fence = 1_767_225_600_000_001;
    const first = next(undefined, "f", fence);
    await store.commit(first);
    await refused(store.commit(next(first.state, "f", fence - 1)), "STALE_FENCE");
    await store.commit(next(first.state, "f", fence));
    const state = (await store.read("f"))!;
    assert.equal(state.fence, fence);
    await store.commit(next(state, "f", fence + 1));
  },
  "lets exactly one of many writers of one revision win": async ({ store, again }) => {
    const other = (await again?.()) ?? store;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? store : other).commit(next(undefined, "f"))),
    );
    assert.equal(outcomes.filter((one) => one.status === "fulfilled").length, 1);
    for (const one of outcomes)
      if (one.status === "rejected") assert.equal((one.reason as HebraError).code, "ROLLOUT_CONFLICT");
    assert.equal((await store.evidence("f")).length, 1);
  },
  "counts a report once, however often and in whatever order it comes": async ({ store }) => {
    await store.report([row("f", "p1", 0, 1, 5), row("f", "p2", 0, 1, 7)]);
    await store.report([row("f", "p1", 0, 3, 9)]);
    await store.report([row("f", "p1", 0, 2, 6), row("f", "p1", 0, 3, 9)]);
    const rows = (await store.counters("f", 0)).sort(byKey);
    assert.deepEqual(rows, [row("f", "p1", 0, 3, 9), row("f", "p2", 0, 1, 7)]);
  },
  "gives rows from a time on, of one flag, and forgets old ones": async ({ store }) => {
    await store.report([
      row("f", "p", 0, 1, 1),
      row("f", "p", 60_000, 1, 2),
      row("f", "p", 120_000, 1, 3),
      row("g", "p", 60_000, 1, 4),
    ]);
    assert.deepEqual(
      (await store.counters("f", 60_000)).sort(byKey).map((one) => one.new.assigned),
      [2, 3],
    );
    await store.prune("f", 120_001);
    assert.deepEqual(
      (await store.counters("f", 0)).map((one) => one.new.assigned),
      [3],
    );
    assert.equal((await store.counters("g", 0)).length, 1);
  },
  "shows one process what another wrote": async ({ store, again }) => {
    if (again === undefined) return;
    const commit = next(undefined, "f");
    await store.commit(commit);
    await store.report([row("f", "p", 0, 1, 1)]);
    const other = await again();
    assert.deepEqual(await other.read("f"), commit.state);
    assert.deepEqual(await other.evidence("f"), commit.evidence);
    assert.equal((await other.counters("f", 0)).length, 1);
    await refused(other.commit(next(undefined, "f")), "ROLLOUT_CONFLICT");
  },
  "tells watchers of a write": async ({ store }) => {
    if (store.watch === undefined) return;
    let heard: (flag: string) => void = () => {};
    const told = new Promise<string>((resolve) => (heard = resolve));
    const stop = store.watch(heard);
    // A subscription may take a moment; writes repeat until one is heard.
    let state: RolloutState | undefined;
    for (let attempt = 0; attempt < 50; attempt++) {
      const commit = next(state, "f");
      await store.commit(commit);
      state = commit.state;
      if (await Promise.race([told.then(() => true), new Promise((resolve) => setTimeout(() => resolve(false), 20))]))
        break;
    }
    assert.equal(await told, "f");
    stop();
  },
  "is closed for good": async ({ store }) => {
    await store.close();
    await refused(store.read("f"), "CLOSED");
    await store.close();
  },
};
