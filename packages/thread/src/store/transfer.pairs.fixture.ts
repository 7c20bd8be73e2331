import { createIdGenerator } from "@hebra/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  contextRow,
  ending,
  events,
  executionRow,
  importedBundle,
  outboxRow,
  playTurn,
  T0,
  turnIds,
} from "./contract/rows.ts";
import { memoryStore } from "./memory.ts";
import { postgresStore } from "./postgres.ts";
import { redisStore } from "./redis.ts";
import { sqliteStore } from "./sqlite.ts";
import type { ThreadStore } from "./store.ts";
import { exportJsonLines, importJsonLines } from "./transfer.ts";

const PATIENCE = 120_000;
const [connectionString, url] = [process.env["DATABASE_URL"], process.env["REDIS_URL"]];
const newName = createIdGenerator();
const [schema, namespace] = [`pairs_${process.pid}`, `pairs-${process.pid}`];

/** Each store anew, over no rows of the tenant that is carried. */
const kinds = {
  memory: async () => memoryStore(),
  sqlite: () => sqliteStore({ path: ":memory:", synchronous: "NORMAL" }),
  pglite: () => postgresStore({ pglite: "memory://" }),
  postgres:
    connectionString === undefined
      ? undefined
      : () =>
          postgresStore({ connectionString, poolSize: 2, schema: `${schema}_${++schemas}`, migrations: "automatic" }),
  redis: url === undefined ? undefined : () => redisStore({ url, namespace: `${namespace}-${newName()}` }),
} satisfies Record<string, (() => Promise<ThreadStore>) | undefined>;
let schemas = 0;

/**
 * Everything that a store can hold: all kinds of rows, finished and not, a fork, a closed context, odd characters and
 * numbers.
 */
async function fill(store: ThreadStore, tenant: string): Promise<void> {
  const odd = {
    "a\u0000b": "c\u0000d",
    "\u{1f9f5}": [],
    deep: [{}, [], null, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 1e-7],
    z: 1,
    a: 2,
  };
  const ids = turnIds("odd", "m1");
  await store.begin(tenant, beginRunning(tenant, ids, { fence: 2 ** 52, expectedSeq: 0 }));
  await store.commit(
    tenant,
    ids.contextId,
    { fence: 2 ** 52, expectedSeq: 2 },
    {
      ...ending(tenant, ids, 2, 2),
      context: { status: "open", currentExecutionId: null, updatedAt: T0 + 1, state: odd, sessions: { scripted: odd } },
      calls: [callRow(ids, 0, { status: "succeeded", output: odd })],
      outbox: [outboxRow(ids, 0, { payload: odd }), outboxRow(ids, 1)],
      handedOver: [outboxRow(ids, 1).id],
    },
  );
  await store.fork(tenant, {
    from: ids.contextId,
    atItemId: ids.reactionItemId,
    context: contextRow("odd", { id: "a-fork" }),
  });
  await playTurn(store, tenant, turnIds("odd", "in-the-fork", "a-fork"), 2, 2 ** 52);
  await store.import(tenant, importedBundle("imported", 3));
  const closed = turnIds("closed", "m1");
  await playTurn(store, tenant, closed, 0);
  await store.setClosed(tenant, closed.contextId, true, T0);
  const waiting = turnIds("waiting", "m1");
  await store.begin(tenant, beginRunning(tenant, waiting, { fence: 1, expectedSeq: 0 }));
  await store.commit(
    tenant,
    waiting.contextId,
    { fence: 1, expectedSeq: 2, expectedInboxSeq: 0 },
    {
      context: { updatedAt: T0, status: "waiting" },
      executions: [executionRow(waiting, { status: "waiting", wakeAt: T0 + 60_000 })],
      calls: [callRow(waiting, 0, { status: "awaiting_approval" })],
      approvals: [approvalRow(waiting, 0)],
      events: events(tenant, waiting, 2, "approval-requested"),
    },
  );
  await store.decideApproval(tenant, approvalRow(waiting, 0).id, {
    decision: "approved",
    editedInput: odd as never,
    comment: "\u0000",
    at: T0,
  });
  await store.begin(tenant, beginQueued(turnIds("waiting", "m2")));
  await store.requestCancel(tenant, turnIds("waiting", "m2").executionId, { by: "ann", at: T0 });
}

/** Where two copies differ first, shortly. */
function difference(lines: readonly string[], expected: readonly string[]): string | undefined {
  const at = Array.from({ length: Math.max(lines.length, expected.length) }, (_, i) => i).find(
    (i) => lines[i] !== expected[i],
  );
  if (at === undefined) return undefined;
  const [left = "", right = ""] = [lines[at], expected[at]];
  const from = Math.max(0, [...left].findIndex((letter, i) => letter !== right[i]) - 80);
  return `line ${at}: …${left.slice(from, from + 160)}… is not …${right.slice(from, from + 160)}…`;
}

async function linesOf(store: ThreadStore, tenant: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportJsonLines(store, { tenant })) lines.push(line);
  return lines;
}

/** Copies from one kind of store to each, and back. */
export function copiesFrom(from: keyof typeof kinds): void {
  const openFrom = kinds[from];
  const targets = Object.entries(kinds).flatMap(([to, openTo]) => (openTo === undefined ? [] : [{ to, openTo }]));
  const tenant = "acme";

  describe.skipIf(openFrom === undefined)(`a copy as JSON lines from ${from}`, () => {
    let reference: string[] = [];
    beforeAll(async () => {
      const store = memoryStore();
      await fill(store, tenant);
      reference = await linesOf(store, tenant);
    });
    afterAll(removeCopies, PATIENCE);

    it.each(targets)(
      "to $to and back loses nothing: every digest, and every line",
      async ({ openTo }) => {
        const [source, target, again] = [await openFrom!(), await openTo(), await openFrom!()];
        try {
          await fill(source, tenant);
          const lines = await linesOf(source, tenant);
          expect(difference(lines, reference)).toBeUndefined();
          const report = await importJsonLines(target, lines);
          expect(report).toMatchObject({ contexts: 5, unchanged: 0 });
          const between = await linesOf(target, tenant);
          expect(difference(between, reference)).toBeUndefined();
          expect(await importJsonLines(again, between)).toEqual(report);
          expect(difference(await linesOf(again, tenant), reference)).toBeUndefined();
          expect(await importJsonLines(target, lines)).toMatchObject({ contexts: 5, unchanged: 5 });
          // What waits there is found there too, and the rest goes on.
          expect(
            (await target.system().due({ now: 0, limit: 1_000 }))
              .filter((one) => one.tenant === tenant)
              .map(({ threadKey }) => threadKey),
          ).toEqual(["waiting"]);
          expect((await target.history(tenant, "a-fork", { items: 40 })).length).toBe(4);
        } finally {
          for (const store of [source, target, again]) await store.close();
        }
      },
      PATIENCE,
    );
  });
}

/** Removes what this file has written on servers. */
async function removeCopies(): Promise<void> {
  if (connectionString !== undefined) {
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({ connectionString, max: 1 });
    for (let n = 1; n <= schemas; n++) await pool.query(`DROP SCHEMA IF EXISTS ${schema}_${n} CASCADE`);
    await pool.end();
  }
  if (url !== undefined) {
    const { Redis } = await import("ioredis");
    const client = new Redis(url);
    for (const name of await client.keys(`${namespace}-*`)) await client.unlink(name);
    client.disconnect();
  }
}
