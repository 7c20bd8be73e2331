import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ioredisCommands, type IoredisClient } from "./commands.ts";

describe.skipIf(withoutRedisServer !== undefined)("the blocking connection", () => {
  let server: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it("ends its wait when it is lost, and works again by itself", async () => {
    const connection = ioredisCommands(client as unknown as IoredisClient, false).blocking();
    try {
      for (let round = 1; round <= 3; round++) {
        // No limit of time: only the loss can end it.
        const waiting = expect(connection.popMin(["nothing"], 0)).rejects.toThrow();
        const blocked = async () =>
          String(await server.admin.call("CLIENT", "LIST"))
            .split("\n")
            .find((line) => line.includes("cmd=bzpopmin"));
        await eventually(async () => (await blocked()) !== undefined, "the connection waits on the server");
        await server.admin.call("CLIENT", "KILL", "ID", /\bid=(\d+)/.exec((await blocked())!)![1]!);
        await waiting;
      }
      await server.admin.zadd("something", 1, "a");
      expect(await connection.popMin(["something"], 0)).toEqual(["something", "a", "1"]);
    } finally {
      connection.close();
    }
  });
});
