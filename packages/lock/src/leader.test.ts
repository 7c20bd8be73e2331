import assert from "node:assert/strict";
import { once } from "node:events";
import { createManualClock, errorCode, HebraError, systemClock } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, test, vi } from "vitest";
import { createLeader, type Leadership } from "./leader.ts";
import { localLocks } from "./local.ts";
import { redisLocks } from "./redis.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

vi.setConfig({ testTimeout: 20_000, hookTimeout: 30_000 });

const untilAborted = async ({ signal }: Leadership) => void (signal.aborted || (await once(signal, "abort")));

describe("leadership over local locks", () => {
  test("one leads; when it closes the next does, with a larger epoch", async () => {
    const clock = createManualClock();
    const locks = localLocks({ clock });
    const terms: [string, number][] = [];
    const stand = (who: string) =>
      createLeader("jobs", { locks, clock, lead: (it) => (terms.push([who, it.epoch]), untilAborted(it)) });
    const [a, b] = [stand("a"), stand("b")];
    await clock.advance(100_000);
    assert.equal(terms.length, 1);
    assert.equal(a.epoch, terms[0]![1]);
    assert.equal(b.epoch, undefined);
    await a.close();
    await clock.advance(0);
    assert.deepEqual(
      terms.map(([who]) => who),
      ["a", "b"],
    );
    assert.ok(terms[1]![1] > terms[0]![1]);
    assert.equal(a.epoch, undefined);
    assert.equal(b.epoch, terms[1]![1]);
    await Promise.all([b.close(), b.close()]);
    await locks.close();
    assert.equal(clock.pending(), 0);
  });

  test("a leader that was stopped past its ttl stops leading, and takes its turn behind the others", async () => {
    const manual = createManualClock();
    const { clock, freeze, thaw } = freezableClock(manual);
    const locks = localLocks({ clock });
    const terms: string[] = [];
    const stand = (who: string) =>
      createLeader("jobs", { locks, clock, ttlMs: 3000, lead: (it) => (terms.push(who), untilAborted(it)) });
    const [a, b] = [stand("a"), stand("b")];
    await manual.advance(0);
    freeze();
    await manual.advance(4000);
    thaw();
    await manual.advance(3000);
    assert.deepEqual(terms, ["a", "b"]);
    assert.equal(a.epoch, undefined);
    assert.notEqual(b.epoch, undefined);
    await Promise.all([a.close(), b.close()]);
  });

  test("what `lead` throws is reported, and the leadership passes on", async () => {
    const clock = createManualClock();
    const locks = localLocks({ clock });
    const errors: unknown[] = [];
    let terms = 0;
    const broken = createLeader("jobs", {
      locks,
      clock,
      ttlMs: 3000,
      lead: async () => {
        terms++;
        throw new Error("broken");
      },
      onError(error) {
        errors.push(error);
        throw new Error("so is the listener");
      },
    });
    await clock.advance(0);
    assert.equal(terms, 1);
    await (await locks.acquire("leader/jobs", { waitMs: 0 })).release();
    await clock.advance(100);
    assert.equal(terms, 2, "it stands again after a thirtieth of the ttl");
    assert.equal(errors.length, 2);
    await broken.close();
    await locks.close();
    assert.equal(clock.pending(), 0);
  });

  test("a closed manager ends the candidacy; an unreachable one is tried again", async () => {
    const clock = createManualClock();
    const locks = localLocks({ clock });
    let down = true;
    const codes: unknown[] = [];
    const flaky = {
      ...locks,
      acquire: async (...args: Parameters<typeof locks.acquire>) => {
        if (down) throw new HebraError("UNREACHABLE", "down");
        return locks.acquire(...args);
      },
    };
    const leader = createLeader("jobs", {
      locks: flaky,
      clock,
      ttlMs: 3000,
      lead: untilAborted,
      onError: (error) => codes.push(errorCode(error)),
    });
    await clock.advance(350);
    assert.deepEqual(codes, ["UNREACHABLE", "UNREACHABLE", "UNREACHABLE", "UNREACHABLE"]);
    down = false;
    await clock.advance(100);
    assert.notEqual(leader.epoch, undefined);
    await locks.close();
    await clock.advance(200);
    assert.equal(leader.epoch, undefined);
    assert.equal(codes.at(-1), "CLOSED");
    await clock.advance(10_000);
    assert.equal(codes.length, 5);
    await leader.close();
  });

  test("options are checked", () => {
    const locks = localLocks();
    assert.throws(() => createLeader("jobs", { locks, lead: untilAborted, ttlms: 1 } as never), {
      code: "INVALID_OPTIONS",
      message: /ttlMs/,
    });
    assert.throws(() => createLeader("x".repeat(600), { locks, lead: untilAborted }), { code: "INVALID_ID" });
    assert.throws(() => createLeader("jobs", { lead: untilAborted } as never), {
      code: "INVALID_OPTIONS",
      message: /locks/,
    });
  });
});

describe.skipIf(withoutRedisServer !== undefined)("leadership over Redis", () => {
  test("a leader whose process stops is replaced within its ttl", async () => {
    const server = await startRedis();
    const ttlMs = 1000;
    const { clock, freeze, thaw } = freezableClock(systemClock);
    const managers = [redisLocks({ url: server.url, clock }), redisLocks({ url: server.url })];
    const terms: { who: number; epoch: number; at: number }[] = [];
    const stand = (who: number) =>
      createLeader("jobs", {
        locks: managers[who]!,
        ttlMs,
        ...(who === 0 ? { clock } : {}),
        lead: (it) => (terms.push({ who, epoch: it.epoch, at: performance.now() }), untilAborted(it)),
      });
    const candidates = [stand(0)];
    await eventually(() => terms.length === 1, "the first leads");
    candidates.push(stand(1));
    await eventually(async () => (await server.admin.zcard("hebra:lock:{leader/jobs}:line")) === 1, "the other waits");
    freeze();
    const stoppedAt = performance.now();
    await eventually(() => terms.length === 2, "the other takes over");
    assert.ok(terms[1]!.at - stoppedAt <= ttlMs + 50, `${terms[1]!.at - stoppedAt} ms`);
    assert.ok(terms[1]!.epoch > terms[0]!.epoch);
    thaw();
    await eventually(() => candidates[0]!.epoch === undefined, "the first hears of it");
    await Promise.all(candidates.map((it) => it.close()));
    await Promise.all(managers.map((it) => it.close()));
    await server.stop();
  });
});
