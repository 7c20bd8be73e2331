import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
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
});
