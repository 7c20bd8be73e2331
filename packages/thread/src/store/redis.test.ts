import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import {
  approvalRow,
  beginRunning,
  callRow,
  events,
  executionRow,
  outboxRow,
  partRow,
  playTurn,
  stepRow,
  T0,
  turnIds,
} from "./contract/rows.ts";
import type { RedisCommands } from "./redis/commands.ts";
import { createKeys, isWide, threadKeys, toField } from "./redis/layout.ts";
import { redisStore } from "./redis.ts";
import { storeContract } from "./store.contract.ts";
import { items } from "./tables.ts";
import { deriveId } from "@hebra/core";
import assert from "node:assert/strict";

const url = process.env["REDIS_URL"];
const namespace = `contract-${process.pid}`;

describe.skipIf(url === undefined)("redisStore", () => {
  let client: Redis;
  beforeAll(() => {
    client = new Redis(url!);
  });
  afterAll(async () => {
    const names = await client.keys(`${namespace}:*`);
    // One by one: in a cluster they are in different slots.
    await Promise.all(names.map((name) => client.unlink(name)));
    client.disconnect();
  });
  const open = () => redisStore({ client, namespace });
  const clauses = storeContract({
    create: open,
    reopen: open,
    async age(_store, { tenant, contextId, itemId }, v) {
      assert.equal(isWide(items), false);
      const keys = createKeys(namespace);
      const name = threadKeys(keys, keys.tag(tenant, deriveId("thread", "award_42"))).packed(items, [contextId]);
      const [line] = (await client.hget(name, itemId))!.split("\n");
      const row = JSON.parse(line!) as unknown[];
      row[0] = Number(toField(v));
      // A line for each version, as a later build writes them.
      await client.hset(name, itemId, [JSON.stringify(row), ...Array.from({ length: v - 1 }, () => "[]")].join("\n"));
    },
  });
  for (const [title, clause] of Object.entries(clauses)) it(title, clause, 60_000);

  it("takes one command for each holder write, and the turn stays listed for a sweep", async () => {
    const sent: string[] = [];
    const commands: RedisCommands = {
      call(command, ...args) {
        sent.push(command);
        return client.call(command, ...args);
      },
      subscribe: async () => {},
      close: async () => {},
    };
    const store = await redisStore({ client: commands, namespace });
    const ids = turnIds("one-command", "m1");
    const running = {
      context: { updatedAt: T0 },
      executions: [executionRow(ids, { updatedAt: T0 + 1 })],
      steps: [stepRow(ids, 0)],
      parts: [partRow(ids, 0, "x")],
      calls: [callRow(ids, 0)],
    };
    await store.begin("one-command", beginRunning("one-command", ids, { fence: 1, expectedSeq: 0 }));
    sent.length = 0;
    await store.commit(
      "one-command",
      ids.contextId,
      { fence: 1, expectedSeq: 2 },
      { ...running, events: events("one-command", ids, 2, "part-created") },
    );
    assert.deepEqual(sent, ["EVALSHA"]);
    const swept = await store.system().sweep({ before: T0 + 2, limit: 1_000 });
    assert.ok(swept.some(({ tenant }) => tenant === "one-command"));
  }, 60_000);

  it("leaves no key of a deleted thread but its revision, for an hour [EN-17]", async () => {
    const own = `${namespace}:gone`;
    const store = await redisStore({ client, namespace: own });
    const ids = turnIds("award_42", "m1");
    await playTurn(store, "t", ids, 0);
    const next = turnIds("award_42", "m2");
    await store.begin("t", beginRunning("t", next, { fence: 1, expectedSeq: 4 }));
    await store.commit(
      "t",
      ids.contextId,
      { fence: 1, expectedSeq: 6 },
      {
        context: { updatedAt: T0 },
        executions: [executionRow(next, { status: "waiting", wakeAt: T0 })],
        calls: [callRow(next, 0)],
        approvals: [approvalRow(next, 0)],
        outbox: [outboxRow(next, 0)],
        events: [],
      },
    );
    assert.ok((await client.keys(`${own}:*`)).length > 20);
    await store.deleteThread("t", { key: "award_42" });
    const left = await client.keys(`${own}:*`);
    assert.equal(left.length, 1, left.join(" "));
    assert.match(left[0]!, /:revision$/);
    assert.ok((await client.pttl(left[0]!)) > 3_000_000);
  }, 60_000);
});
