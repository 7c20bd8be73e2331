import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { errorCode, systemClock } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterEach, beforeEach, describe, test, vi } from "vitest";
import type { LockManager } from "./lock.ts";
import { redisLocks, type RedisLocksOptions } from "./redis.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

vi.setConfig({ testTimeout: 20_000, hookTimeout: 30_000 });

describe.skipIf(withoutRedisServer !== undefined)("redisLocks under faults", () => {
  let server: TestRedis;
  const opened: LockManager[] = [];
  const open = (options: Partial<RedisLocksOptions> = {}) => {
    const locks = redisLocks({ url: server.url, pollMs: 200, ...options });
    opened.push(locks);
    return locks;
  };
  beforeEach(async () => void (server = await startRedis()));
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((locks) => locks.close()));
    await server.stop();
  });

  /** Another process that holds the lock. */
  async function holder(key: string, ttlMs: number) {
    const child = spawn(
      process.execPath,
      [
        "--import",
        "tsx",
        "--conditions",
        "@hebra/source",
        fileURLToPath(new URL("testing/holder.fixture.ts", import.meta.url)),
        server.url,
        key,
        String(ttlMs),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    await eventually(() => lines.length > 0, "the other process takes the lock");
    return { child, lines, fence: Number(lines[0]!.split(" ")[1]) };
  }

  test("a process stopped past its ttl has lost, learns so when it goes on, and its fence is the older", async () => {
    const other = await holder("stopped", 500);
    try {
      await assert.rejects(open().acquire("stopped", { waitMs: 0 }), { code: "LOCK_TIMEOUT" });
      other.child.kill("SIGSTOP");
      const start = performance.now();
      const lease = await open().acquire("stopped", { waitMs: 5000 });
      assert.ok(performance.now() - start < 800, "served as the lease ended");
      assert.ok(lease.fence > other.fence);
      assert.deepEqual(other.lines.slice(1), []);
      other.child.kill("SIGCONT");
      await eventually(() => other.lines.includes("lost"), "the stopped process hears that it lost");
      await lease.extend();
      await lease.release();
    } finally {
      other.child.kill("SIGKILL");
    }
  });

  test("a process killed outright is inherited from within the ttl", async () => {
    const other = await holder("killed", 1000);
    const waiting = open().acquire("killed");
    await pause(50);
    other.child.kill("SIGKILL");
    const start = performance.now();
    const lease = await waiting;
    assert.ok(performance.now() - start <= 1100);
    assert.ok(lease.fence > other.fence);
    await lease.release();
  });

  test("all connections killed: leases go on, waiters are served in order", async () => {
    const locks = open();
    const lease = await locks.acquire("kill", { ttlMs: 1000 });
    const order: number[] = [];
    const turns = [0, 1, 2].map((i) =>
      open()
        .acquire("kill")
        .then(async (it) => {
          order.push(i);
          await it.release();
        }),
    );
    await eventually(async () => (await server.admin.zcard("hebra:lock:{kill}:line")) === 3, "three in line");
    const line = await server.admin.zrange("hebra:lock:{kill}:line", "0", "-1");
    for (let i = 0; i < 5; i++) {
      await server.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await server.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
      await pause(100);
    }
    assert.deepEqual(await server.admin.zrange("hebra:lock:{kill}:line", "0", "-1"), line, "nobody lost their place");
    await lease.extend();
    assert.equal(lease.signal.aborted, false);
    await lease.release();
    await Promise.all(turns);
    assert.equal(new Set(order).size, 3);
  });

  test("when holder and waiters all died, the lock is free at once for one who does not wait", async () => {
    const crashing = freezableClock(systemClock);
    const dead = open({ clock: crashing.clock, pollMs: 50 });
    await dead.acquire("ghosts", { ttlMs: 400 });
    dead.acquire("ghosts", { ttlMs: 400 }).catch(() => {});
    await eventually(async () => (await server.admin.zcard("hebra:lock:{ghosts}:line")) === 1, "one in line");
    crashing.freeze();
    await assert.rejects(open().acquire("ghosts", { waitMs: 0 }), { code: "LOCK_TIMEOUT" });
    await pause(600);
    const lease = await open().acquire("ghosts", { waitMs: 0 });
    assert.deepEqual(await server.admin.keys("hebra:lock:{ghosts}*"), ["hebra:lock:{ghosts}"]);
    await lease.release();
  });

  test("a server that forbids to subscribe: waiters poll, and connections do not pile up", async () => {
    await server.admin.call("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "&*", "+@all", "-subscribe");
    const locks = open({ url: `redis://deaf:pw@127.0.0.1:${server.port}` });
    for (let i = 0; i < 5; i++) {
      const lease = await locks.acquire("deaf");
      const waiting = locks.acquire("deaf");
      await eventually(async () => (await server.admin.zcard("hebra:lock:{deaf}:line")) === 1, "one in line");
      await lease.release();
      await (await waiting).release();
    }
    await eventually(
      async () =>
        String(await server.admin.client("LIST"))
          .trim()
          .split("\n").length === 2,
      "one connection besides the test's",
    );
  });

  test("scripts forgotten by the server are sent again", async () => {
    const locks = open();
    const lease = await locks.acquire("flush-scripts");
    await server.admin.script("FLUSH");
    await lease.extend();
    await server.admin.script("FLUSH");
    await lease.release();
    await server.admin.script("FLUSH");
    await (await locks.acquire("flush-scripts", { waitMs: 0 })).release();
  });

  test("a server that forgets everything: the holder has lost, the line is served, and fences still grow", async () => {
    const lease = await open().acquire("flush-all", { ttlMs: 600 });
    const waiting = open().acquire("flush-all", { ttlMs: 600 });
    await eventually(async () => (await server.admin.zcard("hebra:lock:{flush-all}:line")) === 1, "one in line");
    await server.admin.flushall();
    const next = await waiting;
    assert.ok(next.fence > lease.fence, `${next.fence} against ${lease.fence}`);
    await eventually(() => lease.signal.aborted, "the first holder hears that it lost");
    assert.equal(errorCode(lease.signal.reason), "LOCK_LOST");
    await next.release();
  });

  test("a fence ahead of the clock is forgotten with everything else, and a seed brings it back", async () => {
    const locks = open();
    const ahead = 2 ** 52;
    await locks.seed("reseed", ahead);
    await (await locks.acquire("reseed")).release();
    await server.admin.flushall();
    await locks.seed("reseed", ahead + 1);
    const lease = await locks.acquire("reseed");
    assert.equal(lease.fence, ahead + 2);
    await lease.release();
  });

  test("a server that hangs: UNREACHABLE after the request's limit, leases lost at their deadline; all well when it goes on", async () => {
    const locks = open({ requestTimeoutMs: 300 });
    const lease = await locks.acquire("hang", { ttlMs: 1000 });
    const { signal } = lease;
    const start = performance.now();
    server.process().kill("SIGSTOP");
    const waiting = locks.acquire("other", { waitMs: 0 });
    await assert.rejects(waiting, { code: "UNREACHABLE", retryable: true });
    await assert.rejects(lease.extend(), { code: "UNREACHABLE" });
    await eventually(() => signal.aborted, "the lease is lost");
    assert.ok(performance.now() - start < 1000, "before the server may give it to another");
    assert.equal(errorCode(signal.reason), "LOCK_LOST");
    assert.equal(errorCode((signal.reason as Error).cause), "UNREACHABLE");
    await lease.release();
    server.process().kill("SIGCONT");
    await eventually(
      async () => (await server.admin.hexists("hebra:lock:{other}", "holder")) === 0,
      "what was given up is given back",
    );
    await eventually(
      async () => (await server.admin.hexists("hebra:lock:{hang}", "holder")) === 0,
      "and what was lost, before its ttl",
      500,
    );
    await (await locks.acquire("hang", { waitMs: 0 })).release();
  });

  test("a server that is gone: UNREACHABLE at once, without the address of the server's password", async () => {
    const port = server.port;
    const locks = open({ url: `redis://user:hunter2@127.0.0.1:${port}` });
    await server.stop();
    const error: unknown = await locks.acquire("gone").catch((it: unknown) => it);
    assert.equal(errorCode(error), "UNREACHABLE");
    assert.doesNotMatch(JSON.stringify(error) + String((error as Error).cause), /hunter2/);
    server = await startRedis();
  });

  test("a server that refuses is not called unreachable, and keeps the password to itself", async () => {
    await server.admin.call("ACL", "SETUSER", "reader", "on", ">secret42", "~*", "+get", "+info", "+client");
    const locks = open({ url: `redis://reader:secret42@127.0.0.1:${server.port}` });
    const refused: unknown = await locks.acquire("refused").catch((it: unknown) => it);
    assert.equal(errorCode(refused), "SERVER_REFUSED");
    const wrong = open({ url: `redis://reader:secret43@127.0.0.1:${server.port}` });
    const error: unknown = await wrong.acquire("refused").catch((it: unknown) => it);
    assert.doesNotMatch(
      JSON.stringify(error) + String((error as Error).stack) + JSON.stringify((error as Error).cause),
      /secret4/,
    );
  });
});
