import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { test } from "vitest";
import { findServers, thisMachine } from "./find.mjs";
import { startPostgres } from "./postgres.mjs";
import { startRedis } from "./redis.mjs";
import { startServers } from "./servers.mjs";

// Looks, as somebody who may install nothing: a machine whose tests use servers elsewhere need not have the programs.
const here = await findServers(["redis", "postgres"], { ...thisMachine, isRoot: false }).catch(() => undefined);

function reply(url: string, send: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once("error", reject);
    socket.once("connect", () => socket.write(send));
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString("latin1"));
    });
  });
}

test.skipIf(here?.redis === undefined)(
  "Redis starts with an append-only file and is gone when it is stopped",
  async () => {
    const redis = await startRedis(here!.redis!);
    const answer = await reply(redis.url, "CONFIG GET appendonly\r\n");
    assert.match(answer, /appendonly\r\n\$3\r\nyes/);
    const directory = /\n(\/\S+)\r\n$/.exec(await reply(redis.url, "CONFIG GET dir\r\n"))?.[1];
    assert.ok(directory !== undefined && existsSync(directory));
    await redis.stop();
    assert.equal(existsSync(directory), false);
    await assert.rejects(reply(redis.url, "PING\r\n"), /ECONNREFUSED/);
  },
);

test.skipIf(here?.postgres === undefined)(
  "PostgreSQL starts, also for root, and is gone when it is stopped",
  async () => {
    const postgres = await startPostgres(here!.postgres!);
    // An SSL request: the server answers with one byte, S or N.
    const answer = await reply(postgres.url, Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    assert.match(answer, /^[SN]$/);
    await postgres.stop();
    await assert.rejects(reply(postgres.url, "x"), /ECONNREFUSED/);
  },
);

test("servers that the environment names are left alone", async () => {
  const servers = await startServers({ REDIS_URL: "redis://elsewhere:1", DATABASE_URL: "postgres://elsewhere:2/x" });
  assert.deepEqual(servers.env, {});
  assert.equal(servers.summary, "Redis of REDIS_URL, PostgreSQL of DATABASE_URL");
  await servers.stop();
});
