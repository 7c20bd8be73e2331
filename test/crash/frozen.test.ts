import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createEngine, defineAction, defineThread, storeLocks, type ThreadStore } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { postgresMigrations, postgresStore } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import * as z from "zod";
import { crashFixture, PATIENCE } from "./crash.fixture.ts";
import type { FrozenJob, FrozenStore } from "./frozen-program.ts";
import { startFrozen, type Frozen } from "./frozen.ts";

const { directory, program, databaseUrl, redisUrl, schema, namespace } = crashFixture("frozen", "frozen-program");
const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
const started: Frozen[] = [];
const start = (job: FrozenJob) => {
  const frozen = startFrozen(program(), job);
  started.push(frozen);
  return frozen;
};
// One that stands still does not hear of anything but this.
afterEach(() => started.splice(0).forEach(({ child }) => void child.kill("SIGKILL")));
afterAll(() => pool.end());

const asking = defineThread({
  name: "asking",
  actions: { pay: defineAction({ description: "Pays.", input: z.object({}), approval: true, execute: () => "paid" }) },
  reactor: scriptedReactor({
    steps: [{ text: "May I?", actions: [{ name: "pay", input: {} }] }, { text: "Done." }],
    repeatLast: true,
  }),
});

/** A turn that waits for a person. */
async function waitingTurn(store: ThreadStore, key: string) {
  const engine = createEngine({ store, threads: [asking] });
  const turn = await engine.react(asking, { id: "m1", text: "Go." }, { address: { key } });
  const { approvals } = await turn.result;
  await engine.idle();
  return { engine, turn, approvalId: approvals[0]!.id };
}

const leaseStores: [string, FrozenStore | undefined, () => Promise<ThreadStore>][] = [
  [
    "postgres",
    databaseUrl === undefined
      ? undefined
      : { kind: "postgres", url: databaseUrl, schema, application: "frozen_lease", busyMs: 600_000 },
    () => postgresStore({ pool, schema }),
  ],
  [
    "redis",
    redisUrl === undefined ? undefined : { kind: "redis", url: redisUrl, namespace },
    () => redisStore({ url: redisUrl!, namespace }),
  ],
];

beforeAll(async () => {
  if (databaseUrl === undefined) return;
  const migrations = await postgresMigrations({ pool, schema });
  await migrations.apply();
  await migrations.close();
}, PATIENCE);

describe.each(leaseStores)(
  "a process that stands still in the middle of asking for a lease over %s",
  (name, where, open) => {
    it.skipIf(where === undefined)(
      "keeps nobody else from it",
      async () => {
        const store = await open();
        const locks = storeLocks(store, { pollMs: 50 });
        try {
          const undisturbed = await start({
            store: where!,
            work: { verb: "acquire", key: "count", ttlMs: 1_000 },
            stopAfter: Infinity,
          }).said;
          const count = "commands" in undisturbed ? undisturbed.commands : 0;
          expect(count).toBeGreaterThan(1);
          for (let stopAfter = 1; stopAfter <= count; stopAfter++) {
            const key = `lease-${stopAfter}`;
            const frozen = start({ store: where!, work: { verb: "acquire", key, ttlMs: 1_000 }, stopAfter });
            expect(await frozen.stopped).toBe(true);
            if (name === "postgres") {
              const { rows } = await pool.query(
                "SELECT state FROM pg_stat_activity WHERE application_name = 'frozen_lease' AND state <> 'idle'",
              );
              expect(rows).toEqual([]);
            }
            // Only the last command can have given it the lease, and that ends with its ttl.
            const lease = await locks.acquire(key, { ttlMs: 60_000, waitMs: stopAfter === count ? PATIENCE : 0 });
            frozen.wake();
            expect(await frozen.said).toMatchObject({
              outcome: expect.stringMatching(/^(LOCK_TIMEOUT|UNREACHABLE)$/) as string,
              retryable: true,
            });
            expect(lease.signal.aborted).toBe(false);
            await lease.release();
          }
        } finally {
          await locks.close();
          await store.close();
        }
      },
      PATIENCE,
    );
  },
);

describe.skipIf(databaseUrl === undefined)("over PostgreSQL, a process that stands still inside a transaction", () => {
  it.each(["decide", "cancel"] as const)(
    "(%s) loses it, and holds up nobody for longer than it may; when it wakes it says so, and may repeat it",
    async (verb) => {
      const store = await postgresStore({ pool, schema, busyMs: PATIENCE });
      const where: FrozenStore = {
        kind: "postgres",
        url: databaseUrl!,
        schema,
        application: "frozen_inbox",
        busyMs: 500,
      };
      let bitten = 0;
      for (let stopAfter = 1; ; stopAfter++) {
        const { engine, turn, approvalId } = await waitingTurn(store, `${verb}-${stopAfter}`);
        const work = verb === "decide" ? { verb, approvalId } : { verb, executionId: turn.executionId };
        const frozen = start({ store: where, work, stopAfter });
        if (!(await frozen.stopped)) {
          expect(await frozen.said).toMatchObject({ outcome: verb === "decide" ? "approved" : "asked" });
          break;
        }
        // The holder's write: it waits for the server to end what stands still, and lands.
        await store.takeOver("default", turn.contextId, Number.MAX_SAFE_INTEGER - 10);
        frozen.wake();
        const said = await frozen.said;
        if ("outcome" in said && said.retryable === true) {
          expect(["STORE_BUSY", "UNREACHABLE"]).toContain(said.outcome);
          bitten++;
        }
        const again = await start({ store: where, work, stopAfter: Infinity }).said;
        expect(again).toMatchObject({ outcome: verb === "decide" ? "approved" : "asked" });
        await engine.close();
      }
      expect(bitten).toBeGreaterThan(2);
      await store.close();
    },
    PATIENCE,
  );

  it(
    "or another program that keeps rows locked, gives a retryable error in time, and nothing was written",
    async () => {
      const store = await postgresStore({ pool, schema, busyMs: 200 });
      const { engine, turn, approvalId } = await waitingTurn(store, "locked");
      const locks = storeLocks(store);
      await (await locks.acquire("locked")).release();
      const other = await pool.connect();
      const seq = async () => (await store.load("default", { key: "locked" }))!.context.seq;
      try {
        const before = await seq();
        await other.query("BEGIN");
        await other.query(`SELECT 1 FROM ${schema}.thread_contexts WHERE id = $1 FOR UPDATE`, [turn.contextId]);
        await other.query(`SELECT 1 FROM ${schema}.thread_leases WHERE key = 'locked' FOR UPDATE`);
        for (const blocked of [
          () =>
            store.commit(
              "default",
              turn.contextId,
              { fence: Number.MAX_SAFE_INTEGER, expectedSeq: before },
              { context: { updatedAt: 1 }, events: [] },
            ),
          () => store.takeOver("default", turn.contextId, Number.MAX_SAFE_INTEGER),
          () => store.decideApproval("default", approvalId, { decision: "approved", at: 1 }),
          () => store.requestCancel("default", turn.executionId, { at: 1 }),
          () => store.setClosed("default", turn.contextId, true, 1),
          () => locks.acquire("locked", { waitMs: 0 }),
        ]) {
          await expect(blocked()).rejects.toMatchObject({
            code: "STORE_BUSY",
            retryable: true,
            details: { sqlState: "55P03" },
          });
        }
        await other.query("ROLLBACK");
        expect((await store.load("default", { key: "locked" }))!.context).toMatchObject({
          seq: before,
          status: "waiting",
        });
        expect((await store.approval("default", approvalId))?.status).toBe("pending");
        await (await locks.acquire("locked", { waitMs: 0 })).release();
        await locks.close();
        await engine.approve(approvalId);
        await engine.idle();
        expect((await store.execution("default", turn.executionId))?.execution.status).toBe("completed");
        await engine.close();
      } finally {
        other.release();
        await store.close();
      }
    },
    PATIENCE,
  );
});

describe("over SQLite, a process that stands still inside a transaction", () => {
  it(
    "keeps others from writing, not from reading; they get a retryable error in time, and go on when it does or dies",
    async () => {
      const path = join(directory, "frozen.db");
      const store = await sqliteStore({ path, busyMs: 300 });
      const turns = [await waitingTurn(store, "wakes"), await waitingTurn(store, "dies")];
      for (const [i, { turn, approvalId, engine }] of turns.entries()) {
        const frozen = start({ store: { kind: "sqlite", path }, work: { verb: "decide", approvalId }, stopAfter: 1 });
        expect(await frozen.stopped).toBe(true);
        await expect(store.requestCancel("default", turn.executionId, { at: 1 })).rejects.toMatchObject({
          code: "STORE_BUSY",
          retryable: true,
        });
        expect((await store.approval("default", approvalId))?.status).toBe("pending");
        if (i === 0) {
          frozen.wake();
          expect(await frozen.said).toMatchObject({ outcome: "approved" });
        } else {
          frozen.child.kill("SIGKILL");
          await expect(frozen.said).rejects.toThrow("SIGKILL");
        }
        expect((await store.approval("default", approvalId))?.status).toBe(i === 0 ? "approved" : "pending");
        await store.requestCancel("default", turn.executionId, { at: 1 });
        await engine.close();
      }
      await store.close();
    },
    PATIENCE,
  );
});
