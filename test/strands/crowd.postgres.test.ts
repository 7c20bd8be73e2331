import assert from "node:assert/strict";
import { soak } from "@hebra/test-servers/sample";
import { createEngine, defineAction, defineThread, type TurnHandle } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { postgresStore } from "@hebra/thread/store/postgres";
import { test } from "vitest";
import * as z from "zod";

const connectionString = process.env["DATABASE_URL"];
const HANDLES = soak ? 200 : 40;
const CONVERSATIONS = 4;

const definition = defineThread({
  name: "crowd",
  actions: {
    look: defineAction({ description: "Looks.", input: z.object({}), effect: "read", execute: () => "seen" }),
  },
  reactor: scriptedReactor({
    steps: [{ actions: [{ name: "look", input: {} }] }, { text: "Done." }],
    repeatLast: true,
  }),
});

test.skipIf(connectionString === undefined)(
  "messages that are merged at once all get their result, over PostgreSQL with leases of three seconds [EN-7]",
  async () => {
    const schema = "crowd";
    const options = { connectionString: connectionString!, schema, migrations: "automatic" as const };
    const stores = [await postgresStore(options), await postgresStore(options)];
    const engines = stores.map((store) =>
      createEngine({ store, threads: [definition], leaseTtlMs: 3_000, maxAttempts: 1_000 }),
    );
    try {
      const sent = await Promise.all(
        Array.from({ length: HANDLES }, (_, i): Promise<TurnHandle> => {
          const address = { key: `crowd-${i % CONVERSATIONS}` };
          return engines[i % 2]!.react("crowd", { id: `m${i}`, text: `${i}` }, { address, whenBusy: "merge" });
        }),
      );
      const outcomes = await Promise.all(
        sent.map(({ result }) =>
          result.then(
            ({ status }) => status,
            (error: { code?: string }) => error.code ?? "none",
          ),
        ),
      );
      // Where another engine has taken a turn over, its handle says so at once.
      const others = outcomes.filter((outcome) => !["completed", "STALE_FENCE", "VERSION_CONFLICT"].includes(outcome));
      assert.deepEqual(others, []);
      assert.equal(new Set(sent.map(({ contextId }) => contextId)).size, CONVERSATIONS);
      for (let i = 0; i < CONVERSATIONS; i++) {
        const snapshot = await stores[0]!.load("default", { key: `crowd-${i}` });
        assert.deepEqual([snapshot?.active, snapshot?.queued], [undefined, []]);
      }
      console.log(`crowd: ${new Set(sent.map(({ executionId }) => executionId)).size} turns for ${HANDLES} messages`);
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
      await Promise.all(stores.map((store) => store.close()));
    }
  },
  300_000,
);
