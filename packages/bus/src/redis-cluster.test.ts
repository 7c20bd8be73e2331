import { startCluster, withoutRedisServer } from "@hebra/test-servers/redis";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busContract } from "./bus.contract.ts";
import { partitionTags, slotOf } from "./redis/partitions.ts";
import { redisHarness } from "./testing/redis-harness.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("the bus on a cluster of three masters", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  beforeAll(async () => {
    cluster = await startCluster();
  }, 40_000);
  afterAll(() => cluster.stop());

  const connect = () => new Cluster(cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })));

  // Turns of tenants and lanes, counts per tenant, their dead letters, and trials after a crash are promised per
  // partition: their clauses hold where there is one.
  const perPartition = /^tenants take turns|heavier tenant|capped tenant|cap heals|tenant's rate|fast lane|BU-4|SE-6/;
  for (const [title, clause] of Object.entries(busContract)) {
    it.skipIf(perPartition.test(title))(title, async () => {
      const harness = redisHarness(connect);
      try {
        await clause(harness);
      } finally {
        await harness.close();
      }
    });
  }

  it("spreads its partitions evenly over the masters, and keys of one conversation over one", async () => {
    const harness = redisHarness(connect);
    const { bus } = await harness.connect();
    const messages = Array.from({ length: 300 }, (_, i) => ({ session: `s${i}`, payload: i }));
    expect((await bus.publishInbound(messages)).every((receipt) => receipt.status === "accepted")).toBe(true);
    expect((await bus.stats()).inbound.depth).toBe(300);
    const perNode = await Promise.all(
      cluster.nodes.map(async ({ admin }) => (await admin.keys(`${harness.namespace}:*:in:q:*`)).length),
    );
    expect(perNode.every((count) => count > 60)).toBe(true);
    await harness.close();
  });

  it("has never asked for keys of two slots at once", async () => {
    const errors = await Promise.all(cluster.nodes.map(({ admin }) => admin.info("errorstats")));
    expect(errors.join()).not.toContain("CROSSSLOT");
    // They would have been counted.
    await expect(cluster.nodes[0]!.admin.mget("a", "b")).rejects.toThrow("CROSSSLOT");
    expect(await cluster.nodes[0]!.admin.info("errorstats")).toContain("errorstat_CROSSSLOT");
  });
});

describe("partition tags", () => {
  it("lie in equal shares of the slots, the same ones every time", () => {
    for (const count of [1, 2, 6, 16]) {
      const tags = partitionTags(count);
      expect(tags.map((tag) => Math.floor((slotOf(tag) * count) / 16_384))).toEqual(tags.map((_, i) => i));
    }
    expect(slotOf("123456789")).toBe(0x31c3);
    expect(partitionTags(3)).toEqual(partitionTags(3));
  });
});
