import { createIdGenerator, errorCode } from "@hebra/core";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  contextRow,
  events,
  executionRow,
  importedBundle,
  itemRow,
  outboxRow,
  partRow,
  stepRow,
  T0,
  threadRow,
  turnIds,
} from "./contract/rows.ts";
import { memoryStore } from "./memory.ts";
import { postgresStore } from "./postgres.ts";
import { redisStore } from "./redis.ts";
import { sqliteStore } from "./sqlite.ts";
import type { ThreadStore } from "./store.ts";

/** One call of a store, as data, so that two stores can be given the same. */
type Call = (store: ThreadStore, seq: number) => Promise<unknown>;

/** Another one for each run, as servers keep what earlier runs wrote. */
let tenant = "t";
const small = fc.integer({ min: 0, max: 3 });
const key = fc.constantFrom("a", "b");
const turn = fc.tuple(key, small).map(([name, n]) => turnIds(name, `m${n}`));
const fence = fc.integer({ min: 1, max: 4 });
/** Mostly the right sequence, sometimes one beside it. */
const offset = fc.constantFrom(0, 0, 0, 0, 1, -1);
const status = fc.constantFrom("running", "waiting", "completed", "failed") as fc.Arbitrary<
  "running" | "waiting" | "completed" | "failed"
>;

const call: fc.Arbitrary<{ what: string; run: Call; key: string }> = fc.oneof(
  fc.record({ ids: turn, payload: small }).map(({ ids, payload }) => ({
    what: `queue ${ids.key} ${ids.triggerId}`,
    key: ids.key,
    run: (store: ThreadStore) => store.begin(tenant, beginQueued(ids, payload === 3 ? "other" : ids.triggerId)),
  })),
  fc.record({ ids: turn, fence, offset }).map(({ ids, fence: f, offset: o }) => ({
    what: `begin ${ids.key} ${ids.triggerId}`,
    key: ids.key,
    run: (store: ThreadStore, seq: number) =>
      store.begin(tenant, beginRunning(tenant, ids, { fence: f, expectedSeq: seq + o })),
  })),
  fc
    .record({
      ids: turn,
      fence,
      offset,
      status,
      n: small,
      inbox: fc.option(small, { nil: undefined }),
      current: fc.boolean(),
    })
    .map(({ ids, fence: f, offset: o, status: to, n, inbox, current }) => ({
      what: `commit ${ids.key} ${ids.triggerId} ${to}`,
      key: ids.key,
      run: (store: ThreadStore, seq: number) =>
        store.commit(
          tenant,
          ids.contextId,
          { fence: f, expectedSeq: seq + o, ...(inbox !== undefined && { expectedInboxSeq: inbox }) },
          {
            context: {
              updatedAt: T0 + n,
              currentExecutionId: current ? ids.executionId : null,
              status: current ? "running" : "open",
              state: { n },
            },
            executions: [executionRow(ids, { status: to, updatedAt: T0 + n })],
            items: [
              itemRow(ids, "reaction", seq + o + 1, { status: to === "completed" ? "completed" : "pending" }),
              itemRow(ids, "summary", n === 2 ? seq + o + 2 : null),
            ],
            steps: [stepRow(ids, n)],
            parts: [partRow(ids, n, `text ${n}`)],
            calls: [callRow(ids, n)],
            approvals: [approvalRow(ids, n, { status: n === 1 ? "cancelled" : "pending" })],
            outbox: [outboxRow(ids, n)],
            handedOver: [outboxRow(ids, (n + 1) % 4).id],
            events: events(tenant, ids, seq + o, "item-changed", "item-created"),
          },
        ),
    })),
  fc.record({ ids: turn, fence }).map(({ ids, fence: f }) => ({
    what: `takeOver ${ids.key}`,
    key: ids.key,
    run: (store: ThreadStore) => store.takeOver(tenant, ids.contextId, f),
  })),
  turn.map((ids) => ({
    what: `cancel ${ids.triggerId}`,
    key: ids.key,
    run: (store: ThreadStore) => store.requestCancel(tenant, ids.executionId, { at: T0 }),
  })),
  fc.record({ ids: turn, n: small, approve: fc.boolean() }).map(({ ids, n, approve }) => ({
    what: "decide",
    key: ids.key,
    run: (store: ThreadStore) =>
      store.decideApproval(tenant, approvalRow(ids, n).id, {
        decision: approve ? "approved" : "denied",
        at: T0 + (n === 3 ? 90_000 : 0),
      }),
  })),
  fc.record({ ids: turn, closed: fc.boolean() }).map(({ ids, closed }) => ({
    what: `closed ${closed}`,
    key: ids.key,
    run: (store: ThreadStore) => store.setClosed(tenant, ids.contextId, closed, T0),
  })),
  turn.map((ids) => ({
    what: "fork",
    key: ids.key,
    run: (store: ThreadStore) =>
      store.fork(tenant, {
        from: ids.contextId,
        atItemId: ids.reactionItemId,
        context: contextRow(ids.key, { id: `fork-${ids.key}-${ids.triggerId}` }),
      }),
  })),
  fc.record({ name: key, n: small }).map(({ name, n }) => ({
    what: `import ${name} ${n}`,
    key: name,
    run: (store: ThreadStore) => store.import(tenant, importedBundle(name, n)),
  })),
  key.map((name) => ({
    what: `announce ${name}`,
    key: name,
    run: (store: ThreadStore) => store.announceImport(tenant, threadRow(name), contextRow(name)),
  })),
);

async function outcome(work: Promise<unknown>): Promise<unknown> {
  try {
    return { value: await work };
  } catch (error) {
    return { code: errorCode(error) ?? String(error) };
  }
}

/** Everything that can be seen of a store. */
async function everything(store: ThreadStore): Promise<unknown> {
  const ours = <T extends { tenant: string }>(rows: T[]) =>
    rows.filter((row) => row.tenant === tenant).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const { rows } = await store.list(tenant);
  // Threads that changed at one time may come in either order of their ids.
  const seen: unknown[] = [
    rows,
    ours(await store.system().sweep({ before: T0 + 2, limit: 100_000 })),
    ours(await store.system().due({ now: T0 + 2, limit: 100_000 })),
    ours(await store.system().outbox({ before: T0 + 10, limit: 100_000 })),
  ];
  for await (const { bundle } of store.system().export({ tenant })) {
    const { id } = bundle.context;
    seen.push(
      bundle,
      await store.load(tenant, { contextId: id }),
      await store.history(tenant, id, { items: 3 }),
      await store.history(tenant, id, { items: 40 }),
      await store.journal(tenant, id, 2, 3),
    );
  }
  return seen;
}

const newTenant = createIdGenerator();
const [connectionString, url] = [process.env["DATABASE_URL"], process.env["REDIS_URL"]];
const [schema, namespace] = [`model_${process.pid}`, `model-${process.pid}`];
/** Servers, as far as there are some. */
const servers: (() => Promise<ThreadStore>)[] = [
  ...(connectionString === undefined
    ? []
    : [() => postgresStore({ connectionString, poolSize: 2, schema, migrations: "automatic" })]),
  ...(url === undefined ? [] : [() => redisStore({ url, namespace })]),
];

afterAll(async () => {
  if (connectionString !== undefined) {
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({ connectionString });
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await pool.end();
  }
  if (url !== undefined) {
    const { Redis } = await import("ioredis");
    const client = new Redis(url);
    for (const name of await client.keys(`${namespace}:*`)) await client.unlink(name);
    client.disconnect();
  }
}, 60_000);

describe("the stores", () => {
  it("give the same answers to the same calls, and hold the same rows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), async (calls) => {
        tenant = newTenant();
        const reference = memoryStore();
        const others = [
          await sqliteStore({ path: ":memory:", synchronous: "NORMAL" }),
          ...(await Promise.all(servers.map((open) => open()))),
        ];
        const stores = [reference, ...others];
        try {
          for (const { what, run, key: name } of calls) {
            const seq = (await reference.load(tenant, { key: name }))?.context.seq ?? 0;
            const expected = await outcome(run(reference, seq));
            for (const store of others)
              expect(await outcome(run(store, seq)), `${what} on ${store.name}`).toEqual(expected);
          }
          const expected = await everything(reference);
          for (const store of others) expect(await everything(store), store.name).toEqual(expected);
        } finally {
          for (const store of stores) await store.close();
        }
      }),
      { numRuns: 40, seed: 20_261_121 },
    );
  }, 300_000);
});
