import assert from "node:assert/strict";
import type { Assignment, AssignmentStore } from "./assignment.ts";

/** What a store's author gives the contract. Each clause gets a fresh, empty one. */
export interface AssignmentContractHarness {
  readonly store: AssignmentStore;
  /** The same data through another connection. One store in one process may give itself. */
  reopen(): Promise<AssignmentStore>;
}

/** One promise of the port, as a test over a harness. */
export type AssignmentClause = (harness: AssignmentContractHarness) => Promise<void>;

const first = (session: string, more: Partial<Assignment> = {}): Assignment => ({
  flag: "engine-v2",
  session,
  mode: "new",
  arm: "new",
  flagVersion: 7,
  startedAt: 1_700_000_000_123,
  lastSeenAt: 1_700_000_000_456,
  newSince: 1_700_000_000_123,
  servedByLegacy: false,
  ended: false,
  revision: 1,
  ...more,
});

/**
 * What every assignment store promises, by title.
 *
 * @example
 * ```ts
 * import { memoryAssignments } from "@hebra/flags";
 * import { assignmentContract } from "@hebra/flags/testing";
 *
 * for (const clause of Object.values(assignmentContract)) {
 *   const store = memoryAssignments();
 *   await clause({ store, reopen: async () => store });
 * }
 * ```
 */
export const assignmentContract: Readonly<Record<string, AssignmentClause>> = {
  "knows nothing of a session that was never written": async ({ store }) => {
    assert.equal(await store.read("engine-v2", "nobody"), undefined);
  },

  "gives back what was written, every field, also through another connection": async ({ store, reopen }) => {
    const all = [
      first("s1"),
      first("s2", { mode: "legacy", arm: "control", newSince: undefined, servedByLegacy: true }),
      first("s3", { arm: undefined, newSince: 0, ended: true }),
    ];
    for (const each of all) assert.equal(await store.write(each), true);
    const other = await reopen();
    for (const each of all) assert.deepEqual({ ...(await other.read(each.flag, each.session)) }, each);
  },

  "keeps flags and sessions apart, whatever characters their names have": async ({ store }) => {
    const names: [string, string][] = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["a", "b/c"],
      ["a/b", "c"],
      ["ü", "{x}"],
      ["f", "sesión 🧵 \"'%\\"],
      ["f", "__proto__"],
    ];
    for (const [index, [flag, session]] of names.entries())
      assert.equal(await store.write(first(session, { flag, flagVersion: index })), true);
    for (const [index, [flag, session]] of names.entries())
      assert.equal((await store.read(flag, session))?.flagVersion, index);
  },

  "keeps sessions of two tenants apart, whatever they are called [SE-13]": async ({ store, reopen }) => {
    const owners: [string | undefined, string][] = [
      [undefined, "s1"],
      ["acme", "s1"],
      ["globex", "s1"],
      ["a", "b:c"],
      ["a:b", "c"],
      [undefined, "t:acme:s1"],
      [undefined, "s:t:acme:s1"],
    ];
    for (const [index, [tenant, session]] of owners.entries())
      assert.equal(await store.write(first(session, { tenant, flagVersion: index })), true);
    const other = await reopen();
    for (const [index, [tenant, session]] of owners.entries())
      assert.equal((await other.read("engine-v2", session, tenant))?.flagVersion, index);
    assert.equal(await store.read("engine-v2", "s1", "nobody"), undefined);
  },

  "takes a write only after the revision before it": async ({ store }) => {
    assert.equal(await store.write(first("s", { revision: 2 })), false);
    assert.equal(await store.write(first("s")), true);
    assert.equal(await store.write(first("s", { mode: "legacy" })), false);
    assert.equal(await store.write(first("s", { revision: 3 })), false);
    assert.equal(await store.write(first("s", { revision: 2, mode: "legacy", newSince: undefined })), true);
    assert.deepEqual(
      [(await store.read("engine-v2", "s"))?.mode, (await store.read("engine-v2", "s"))?.newSince],
      ["legacy", undefined],
    );
  },

  "lets one of many writers win": async ({ store, reopen }) => {
    const stores = [store, ...(await Promise.all([reopen(), reopen(), reopen()]))];
    for (let revision = 1; revision <= 5; revision++) {
      const won = await Promise.all(
        stores.flatMap((each, index) =>
          [1, 2].map((half) => each.write(first("s", { revision, flagVersion: index * 10 + half }))),
        ),
      );
      assert.equal(won.filter(Boolean).length, 1);
    }
    assert.equal((await store.read("engine-v2", "s"))?.revision, 5);
  },

  "is not changed by what the caller does to what it wrote or read": async ({ store }) => {
    const written = { ...first("s") } as { mode: string };
    await store.write(written as Assignment);
    written.mode = "legacy";
    assert.equal((await store.read("engine-v2", "s"))?.mode, "new");
  },
};
