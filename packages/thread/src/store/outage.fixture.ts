/**
 * A process that reads and writes one store without a pause and catches every error. It handles no rejection but those
 * of its own calls, so that one that a store leaves behind ends it.
 */
import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { errorCode } from "@hebra/core";
import { storeLocks } from "./locks.ts";
import { beginQueued, beginRunning, events, partRow, playTurn, T0, turnIds } from "./contract/rows.ts";
import { postgresStore } from "./postgres.ts";
import { redisStore } from "./redis.ts";
import type { ThreadStore } from "./store.ts";

/** What the process tells its parent after each round: how often each verb worked, and failed with which code. */
export interface Tally {
  worked: Record<string, number>;
  failed: Record<string, Record<string, number>>;
}

const [kind, url] = process.argv.slice(2) as ["redis" | "postgres", string];
const store: ThreadStore =
  kind === "redis" ? await redisStore({ url }) : await postgresStore({ connectionString: url, busyMs: 2_000 });
const locks = storeLocks(store);
const tenant = "outage";
const ids = turnIds("award_42", "m1");
// Written apart from what is read: on Redis a read of several commands begins anew when its thread is written.
const written = turnIds("award_43", "m1");
for (const one of [ids, written]) await playTurn(store, tenant, one, 0);
let begun = 0;
const guard = { fence: 1, expectedSeq: 4 };

const verbs: Record<string, () => Promise<unknown>> = {
  "load by key": () => store.load(tenant, { key: "award_42" }),
  "load by id": () => store.load(tenant, { contextId: ids.contextId }),
  history: () => store.history(tenant, ids.contextId, { items: 40 }),
  journal: () => store.journal(tenant, ids.contextId, 0),
  execution: () => store.execution(tenant, ids.executionId),
  stateAt: () => store.stateAt(tenant, ids.contextId, ids.reactionItemId),
  approval: () => store.approval(tenant, "nobody"),
  list: () => store.list(tenant),
  export: () => store.export(tenant, ids.contextId),
  sweep: () => store.system().sweep({ before: T0 }),
  due: () => store.system().due({ now: T0 }),
  outbox: () => store.system().outbox({ before: T0 }),
  // A bounded number of turns, of which later ones are duplicates: lists across threads stay short.
  begin: () => {
    const other = turnIds(`key-${++begun % 50}`, "m1");
    return store.begin(tenant, beginRunning(tenant, other, { fence: 1, expectedSeq: 0 }));
  },
  queue: () => store.begin(tenant, beginQueued(turnIds(`key-${begun % 10}`, "m2"))),
  commit: () =>
    store.commit(tenant, written.contextId, guard, {
      context: { updatedAt: T0 },
      parts: [partRow(written, 0, "x")],
      events: events(tenant, written, 4),
    }),
  lease: async () => (await locks.acquire(`lock-${randomUUID()}`, { waitMs: 0, ttlMs: 60_000 })).release(),
};

const tally: Tally = { worked: {}, failed: {} };
let over = false;
process.on("message", (message) => {
  if (message === "end") over = true;
});
const loop = async (verb: string): Promise<void> => {
  while (!over) {
    try {
      await verbs[verb]!();
      tally.worked[verb] = (tally.worked[verb] ?? 0) + 1;
    } catch (error) {
      const codes = (tally.failed[verb] ??= {});
      const code = errorCode(error) ?? String(error);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    process.send!(tally);
    await turn();
  }
};
const stops = Array.from({ length: 3 }, (_, i) => store.watch(tenant, `watched-${i}`, () => undefined));
await Promise.all(Object.keys(verbs).map(loop));
for (const stop of stops) stop();
await locks.close();
await store.close();
process.disconnect();
