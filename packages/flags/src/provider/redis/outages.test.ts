import assert from "node:assert/strict";
import { systemClock } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "vitest";
import { redisAssignments } from "../../route/redis-assignments.ts";
import { redisRolloutStore } from "../../rollout/store/redis.ts";
import type { FlagDocument } from "../../evaluate/types.ts";
import { noArm, type CounterRow } from "../../rollout/counter-row.ts";
import type { Assignment } from "../../route/assignment.ts";
import { firstDocument } from "../provider.contract.ts";
import type { FlagProvider } from "../provider.ts";
import { redisFlagWriter, redisProvider, type RedisFlagWriter } from "./redis-provider.ts";

const secondDocument: FlagDocument = { flags: {}, rollouts: { contract: { version: 2, canary: { percent: 20 } } } };
const row: CounterRow = { flag: "f", source: "p", sequence: 1, start: 0, end: 60_000, new: noArm, legacy: noArm };
const assignment = (session: string): Assignment => ({
  flag: "engine",
  session,
  mode: "new",
  arm: undefined,
  flagVersion: 1,
  startedAt: 0,
  lastSeenAt: 0,
  newSince: undefined,
  servedByLegacy: false,
  ended: false,
  revision: 1,
});

describe.skipIf(withoutRedisServer !== undefined)("outages that keep sockets open", { timeout: 60_000 }, () => {
  let server: TestRedis;
  let next: TestRedis;
  let proxy: TestProxy;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    [server, next] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(() => Promise.all([server.stop(), next.stop()]));
  beforeEach(async () => {
    await Promise.all([server.admin.flushall(), next.admin.flushall()]);
    proxy = await startProxy(server.port);
  });
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await proxy.stop();
    await server.admin.replicaof("NO", "ONE");
  });
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  const writerTo = (url: string): RedisFlagWriter => opened(redisFlagWriter({ url }));
  /** Counts the changes that it is told. Polling alone would be too late. */
  const watching = async (provider: FlagProvider) => {
    let changes = 0;
    await provider.load();
    provider.watch!(({ type }) => type === "snapshot-loaded" && changes++);
    await eventually(async () => (await server.admin.pubsub("CHANNELS")).length > 0, "it listens");
    return () => changes;
  };
  const provider = (url: string, pollMs = 600_000) => opened(redisProvider({ url, pollMs, clock: systemClock }));
  const insistently = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    for (;;) {
      try {
        await work();
        return performance.now() - startedAt;
      } catch (error) {
        if (performance.now() - startedAt > 15_000) throw error;
      }
    }
  };
  test("a provider whose connections fall silent hears of changes again within 10 s [BU-2]", async () => {
    const writer = writerTo(server.url);
    await writer.write(firstDocument);
    const changes = await watching(provider(proxy.url));
    proxy.silence();
    const silentAt = performance.now();
    await writer.write(secondDocument);
    await eventually(() => changes() === 1, "the change is in force", 15_000);
    const tookMs = performance.now() - silentAt;
    assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
    // By a message again, not by looking alone.
    await eventually(async () => (await server.admin.pubsub("CHANNELS")).length > 0, "it listens again", 10_000);
    await writer.write(firstDocument);
    await eventually(() => changes() === 2, "the next change is in force");
  });

  test("writer, rollout store and assignments replace silent connections within 10 s [BU-2]", async () => {
    const users = [
      writerTo(proxy.url),
      opened(redisRolloutStore({ url: proxy.url })),
      opened(redisAssignments({ url: proxy.url, commandTimeoutMs: 60_000 })),
    ] as const;
    const [writer, rollout, assignments] = users;
    await Promise.all([writer.read(), rollout.list(), assignments.read("engine", "a")]);
    proxy.silence();
    const took = await Promise.all([
      insistently(() => writer.write(firstDocument)),
      insistently(() => rollout.list()),
      insistently(() => assignments.read("engine", "a")),
    ]);
    for (const ms of took) assert.ok(ms < 10_000, `it took ${Math.round(ms)} ms`);
  });

  test("after a switch-over a provider leaves the demoted server within 2 s, with a url alone [BU-3]", async () => {
    await writerTo(server.url).write(firstDocument);
    const changes = await watching(provider(proxy.url));
    // The demoted server follows nobody who could bring it up to date.
    await server.admin.replicaof("127.0.0.1", "1");
    proxy.pointAt(next.port);
    const switchedAt = performance.now();
    await writerTo(next.url).write(secondDocument);
    await eventually(() => changes() === 1, "the change at the new server is in force");
    const tookMs = performance.now() - switchedAt;
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
  });

  test("after a switch-over writer, rollout store and assignments write to the new server within 2 s [BU-3]", async () => {
    const writer = writerTo(proxy.url);
    const rollout = opened(redisRolloutStore({ url: proxy.url }));
    const assignments = opened(redisAssignments({ url: proxy.url }));
    await writer.write(firstDocument);
    await rollout.report([row]);
    await assignments.write(assignment("a"));
    await server.admin.replicaof("127.0.0.1", next.port);
    proxy.pointAt(next.port);
    const switchedAt = performance.now();
    await writer.write(firstDocument);
    await rollout.report([{ ...row, sequence: 2 }]);
    assert.equal(await assignments.write(assignment("b")), true);
    const tookMs = performance.now() - switchedAt;
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`);
    const keys = (await next.admin.keys("*")).join(" ");
    for (const part of ["hebra:flags", "counters", "assignment"]) assert.match(keys, new RegExp(part));
  });

  test("a provider that is meant to read a replica stays there", async () => {
    await writerTo(next.url).write(firstDocument);
    await server.admin.replicaof("127.0.0.1", next.port);
    await eventually(async () => (await server.admin.exists("hebra:flags")) === 1, "it is copied");
    const changes = await watching(provider(proxy.url));
    const accepted = proxy.accepted;
    await writerTo(next.url).write(secondDocument);
    await eventually(() => changes() === 1, "the change is heard through the replica");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(proxy.accepted, accepted);
  });
});
