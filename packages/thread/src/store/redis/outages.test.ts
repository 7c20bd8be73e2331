import assert from "node:assert/strict";
import { eventually } from "@hebra/test-servers/eventually";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "vitest";
import { beginQueued, turnIds } from "../contract/rows.ts";
import { redisStore } from "../redis.ts";
import type { ThreadStore } from "../store.ts";

describe.skipIf(withoutRedisServer !== undefined)("outages that keep sockets open", { timeout: 60_000 }, () => {
  let server: TestRedis;
  let next: TestRedis;
  let proxy: TestProxy;
  let store: ThreadStore;
  beforeAll(async () => {
    [server, next] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(() => Promise.all([server.stop(), next.stop()]));
  beforeEach(async () => {
    await Promise.all([server.admin.flushall(), next.admin.flushall()]);
    proxy = await startProxy(server.port);
    store = await redisStore({ url: proxy.url });
  });
  afterEach(async () => {
    await store.close();
    await proxy.stop();
    await server.admin.replicaof("NO", "ONE");
  });
  const begin = (key: string) => store.begin("t", beginQueued(turnIds(key, "m1")));
  const found = async (key: string) => (await store.load("t", { key })) !== undefined;

  test("connections that fall silent are replaced within 10 s: reads, writes and news go on [BU-2]", async () => {
    await begin("before");
    const contextId = "c1";
    let news = 0;
    const stop = store.watch!("t", contextId, () => news++);
    await eventually(async () => (await server.admin.pubsub("CHANNELS")).length > 0, "it listens");
    proxy.silence();
    const silentAt = performance.now();
    await begin("after");
    assert.ok(await found("after"));
    const tookMs = performance.now() - silentAt;
    assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
    // Of what was missed meanwhile, all are told; from then on, of what happens.
    await eventually(() => news > 0, "watchers look again", 10_000);
    await eventually(async () => (await server.admin.pubsub("CHANNELS")).length > 0, "it listens again", 10_000);
    const before = news;
    const channel = ((await server.admin.pubsub("CHANNELS")) as string[])[0]!;
    await eventually(async () => {
      await server.admin.publish(channel, JSON.stringify(["t", contextId]));
      return news > before;
    }, "news come again");
    stop();
  });

  test("a connection that is slow to open is waited for, whatever number of calls wait [BU-2]", async () => {
    await begin("before");
    proxy.openAfter(700);
    proxy.silence();
    const silentAt = performance.now();
    const waiting: Promise<unknown>[] = [];
    const more = setInterval(() => waiting.push(found("before")), 100);
    await found("before");
    clearInterval(more);
    await Promise.all(waiting);
    const tookMs = performance.now() - silentAt;
    assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
  });

  test("after a switch-over a write leaves the demoted server within 2 s, with a url alone [BU-3]", async () => {
    await begin("before");
    proxy.pointAt(next.port);
    await server.admin.replicaof("127.0.0.1", next.port);
    const switchedAt = performance.now();
    await begin("after");
    const tookMs = performance.now() - switchedAt;
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
    assert.ok((await next.admin.keys("*")).length > 0, "the new server is written to");
    assert.ok(await found("after"));
  });

  test("after a switch-over those who only read leave the demoted server within 2 s [BU-3]", async () => {
    await begin("before");
    assert.ok(await found("before"));
    const direct = await redisStore({ url: next.url });
    // The demoted server follows nobody who could bring it up to date.
    await server.admin.replicaof("127.0.0.1", "1");
    proxy.pointAt(next.port);
    const switchedAt = performance.now();
    await direct.begin("t", beginQueued(turnIds("elsewhere", "m1")));
    await eventually(() => found("elsewhere"), "what was written to the new server is read");
    const tookMs = performance.now() - switchedAt;
    await direct.close();
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
  });

  test("a server that still loads is waited for, and left for one that serves [BU-3]", async () => {
    await begin("before");
    await server.admin.config("SET", "replica-serve-stale-data", "no");
    await server.admin.replicaof("127.0.0.1", "1");
    proxy.pointAt(next.port);
    const switchedAt = performance.now();
    // MASTERDOWN, to reads as well.
    assert.equal(await found("before"), false);
    const tookMs = performance.now() - switchedAt;
    await server.admin.config("SET", "replica-serve-stale-data", "yes");
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
  });
});
