import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "@hebra/core";
import { startCluster } from "@hebra/test-servers/redis";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { Cluster } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, test, vi } from "vitest";
import { lockContract, type LockContractHarness } from "./lock.contract.ts";
import type { LockManager } from "./lock.ts";
import { redisLocks } from "./redis.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

vi.setConfig({ testTimeout: 20_000, hookTimeout: 30_000 });

describe.skipIf(withoutRedisServer !== undefined)("redisLocks on a cluster of three", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  const opened: LockManager[] = [];
  const nodes = () => cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  const harness = (): LockContractHarness => ({
    ttlMs: 600,
    async connect(options) {
      const { clock, freeze, thaw } = freezableClock(systemClock);
      const locks = redisLocks({ cluster: { nodes: nodes() }, clock, ...options });
      opened.push(locks);
      // Learning the slots takes its time; a clause is about what comes after.
      await (await locks.acquire("warm")).release();
      return { locks, freeze, thaw };
    },
    elapse: (ms) => pause(ms),
  });

  beforeAll(async () => void (cluster = await startCluster()));
  afterAll(() => cluster.stop());
  afterEach(async () => void (await Promise.all(opened.splice(0).map((locks) => locks.close()))));

  describe("fulfils the contract", () => {
    for (const [title, clause] of Object.entries(lockContract)) test(title, () => clause(harness()));
  });

  test("keys land on every node, and a cluster client of one's own serves as well", async () => {
    const client = new Cluster(nodes());
    const locks = redisLocks({ client, namespace: "spread" });
    const leases = await Promise.all(Array.from({ length: 60 }, (_, i) => locks.acquire(`key-${i}`)));
    for (const node of cluster.nodes) assert.ok((await node.admin.keys("spread:*")).length > 0);
    await Promise.all(leases.map((lease) => lease.release()));
    await locks.close();
    assert.equal(client.status, "ready");
    client.disconnect();
  });

  test("no keys of two slots were ever asked for at once", async () => {
    const errors = await Promise.all(cluster.nodes.map(({ admin }) => admin.info("errorstats")));
    assert.ok(!errors.join().includes("CROSSSLOT"));
    // They would have been counted.
    await assert.rejects(cluster.nodes[0]!.admin.mget("a", "b"), /CROSSSLOT/);
    assert.match(await cluster.nodes[0]!.admin.info("errorstats"), /errorstat_CROSSSLOT/);
  });
});
