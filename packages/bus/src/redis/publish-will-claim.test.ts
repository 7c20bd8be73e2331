import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisBus } from "../redis.ts";

describe.skipIf(withoutRedisServer !== undefined)("a publish by a process whose own consumer has room", () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
    // All commands, those of scripts among them.
    await server.admin.config("SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000");
  });
  afterAll(() => server.stop());

  it("wakes nobody, unless the server had to be sent the script again", async () => {
    const bus = redisBus({ url: server.url });
    let handled = 0;
    const working = (async () => {
      for await (const delivery of bus.consumeInbound()) {
        await delivery.ack();
        handled++;
      }
    })();
    let published = 0;
    /** @returns how many markers one publish and its delivery have set */
    const marksOfOne = async () => {
      await server.admin.slowlog("RESET");
      await bus.publishInbound({ session: "s", payload: null });
      published++;
      await eventually(() => handled === published, "it is delivered");
      const log = (await server.admin.slowlog("GET", 1_000)) as [number, number, number, [string, string?]][];
      return log.filter(([, , , [command, key]]) => command === "ZADD" && key!.endsWith(":in:wake")).length;
    };
    try {
      // The first ones may meet a request that is out already.
      await eventually(async () => (await marksOfOne()) === 0, "a publish leaves no marker");
      await server.admin.script("FLUSH");
      expect(await marksOfOne()).toBeGreaterThan(0);
    } finally {
      await bus.close();
      await working;
    }
  });
});
