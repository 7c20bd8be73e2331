import assert from "node:assert/strict";
import { errorCode } from "@hebra/core";
import type { LockManagerOptions } from "./options.ts";
import { lockKey, type Lease, type LockManager } from "./lock.ts";

/** One process, as far as its locks go. */
export interface LockParticipant {
  readonly locks: LockManager;
  /** From now on its timers do not fire, as if the process was stopped. Its monotonic time goes on. */
  freeze(): void;
  /** Its timers fire again, late. */
  thaw(): void;
}

/** What a backend gives the contract. Each clause gets a fresh one. */
export interface LockContractHarness {
  /** Another participant on the same backend. One backend in one process may give the same participant each time. */
  connect(options?: LockManagerOptions): Promise<LockParticipant>;
  /** Lets that many milliseconds of the backend's time pass. */
  elapse(ms: number): Promise<void>;
  /** A ttl of which the backend can bear a few in a test, in milliseconds. */
  readonly ttlMs: number;
}

/** One promise of the port, as a test over a harness. */
export type LockClause = (harness: LockContractHarness) => Promise<void>;

let keys = 0;
const freshKey = (what: string) => lockKey("contract", `${what}-${process.pid}-${Date.now()}-${++keys}`);

async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.equal(errorCode(error), code, `expected ${code}, got ${String(error)}`);
    return true;
  });
}

/** Lets time pass in small steps until something holds. */
async function until(harness: LockContractHarness, limitMs: number, holds: () => boolean): Promise<void> {
  for (let passed = 0; !holds(); passed += 20) {
    assert.ok(passed < limitMs, `it did not happen within ${limitMs} ms`);
    await harness.elapse(20);
  }
}

/** Starts to take a lock and lets the request arrive. */
async function queueUp(
  harness: LockContractHarness,
  { locks }: LockParticipant,
  key: string,
  options = {},
): Promise<{ turn: Promise<Lease> }> {
  const turn = locks.acquire(key, { ttlMs: harness.ttlMs, waitMs: harness.ttlMs * 20, ...options });
  turn.catch(() => {});
  await harness.elapse(30);
  // In an object, as a promise of a promise would wait for both.
  return { turn };
}

/**
 * What every lock manager promises, by title. Run each clause against a fresh harness of the real backend.
 *
 * @example
 * ```ts
 * import { createManualClock } from "@hebra/core";
 * import { localLocks } from "@hebra/lock";
 * import { lockContract, type LockContractHarness } from "@hebra/lock/testing";
 *
 * const clock = createManualClock();
 * const locks = localLocks({ clock });
 * const harness: LockContractHarness = {
 *   ttlMs: 1000,
 *   connect: async () => ({ locks, freeze() {}, thaw() {} }),
 *   elapse: (ms) => clock.advance(ms),
 * };
 * await lockContract["a held lock is refused at once when not waiting"](harness);
 * ```
 */
export const lockContract = {
  "a free lock is taken, and taken again after its release": async (harness) => {
    const { locks } = await harness.connect();
    const key = freshKey("free");
    const first = await locks.acquire(key, { ttlMs: harness.ttlMs });
    assert.equal(first.key, key);
    assert.equal(first.signal.aborted, false);
    await first.release();
    const second = await locks.acquire(key, { waitMs: 0 });
    assert.equal(first.signal.aborted, false, "a release is not a loss");
    await second.release();
  },

  "a held lock is refused at once when not waiting": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("held");
    const lease = await a.locks.acquire(key);
    await rejectsWith("LOCK_TIMEOUT", b.locks.acquire(key, { waitMs: 0 }));
    await lease.release();
  },

  "waiting ends with LOCK_TIMEOUT, retryable, and leaves no trace in the line": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("timeout");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    const { turn: waiting } = await queueUp(harness, b, key, { waitMs: harness.ttlMs });
    await harness.elapse(harness.ttlMs + 50);
    await assert.rejects(waiting, { code: "LOCK_TIMEOUT", retryable: true });
    await lease.release();
    const next = await a.locks.acquire(key, { waitMs: 0 });
    await next.release();
  },

  "different keys do not wait for each other, however they are spelled": async (harness) => {
    const { locks } = await harness.connect();
    const base = freshKey("spelling");
    const spellings = ["", "/", "%", "%2F", "{}", "}", "{a}{b}", " ", ":fence", ":line", "é", "e\u0301", "😀", "\n"];
    const leases = await Promise.all(spellings.map((end) => locks.acquire(base + end, { waitMs: 0 })));
    await Promise.all(leases.map((lease) => lease.release()));
  },

  "what cannot be a key or an option is refused": async (harness) => {
    const { locks } = await harness.connect();
    const key = freshKey("options");
    for (const wrong of ["", "a\u0000b", "\ud800", "x".repeat(513)])
      await rejectsWith("INVALID_ID", locks.acquire(wrong));
    for (const ttlMs of [0, 99, -1, NaN, Infinity]) await rejectsWith("INVALID_OPTIONS", locks.acquire(key, { ttlMs }));
    for (const waitMs of [-1, NaN]) await rejectsWith("INVALID_OPTIONS", locks.acquire(key, { waitMs }));
    for (const fence of [-1, 1.5, NaN, Infinity, 2 ** 53]) await rejectsWith("INVALID_OPTIONS", locks.seed(key, fence));
    await (await locks.acquire(key, { waitMs: 0 })).release();
  },

  "fences grow with every lease, and are safe integers near the microseconds of the clock": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("fences");
    let last = 1_500_000_000_000_000;
    for (let i = 0; i < 20; i++) {
      const lease = await (i % 2 === 0 ? a : b).locks.acquire(key);
      assert.ok(Number.isSafeInteger(lease.fence));
      assert.ok(lease.fence > last, `${lease.fence} is not larger than ${last}`);
      last = lease.fence;
      await lease.release();
    }
  },

  "a seeded fence is exceeded by the next, and never lowers the count": async (harness) => {
    const { locks } = await harness.connect();
    const [key, other] = [freshKey("seed"), freshKey("seed-other")];
    const ahead = 2 ** 52;
    await locks.seed(key, ahead);
    await locks.seed(key, 7);
    const fences = [];
    for (let i = 0; i < 3; i++) {
      const lease = await locks.acquire(key);
      fences.push(lease.fence);
      await lease.release();
    }
    assert.deepEqual(fences, [ahead + 1, ahead + 2, ahead + 3]);
    const lease = await locks.acquire(other);
    assert.ok(lease.fence < ahead, "another key's count is its own");
    await lease.release();
  },

  "a lease is renewed for as long as its holder lives": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("renewed");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    await harness.elapse(harness.ttlMs * 3);
    assert.equal(lease.signal.aborted, false);
    await rejectsWith("LOCK_TIMEOUT", b.locks.acquire(key, { waitMs: 0 }));
    await lease.release();
  },

  "a holder that stops for longer than the ttl loses: its fence is older, its signal aborts, its release frees nothing":
    async (harness) => {
      const [a, b] = [await harness.connect(), await harness.connect()];
      const key = freshKey("stopped");
      const stopped = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
      const { signal } = stopped;
      a.freeze();
      await harness.elapse(harness.ttlMs * 1.5);
      const successor = await b.locks.acquire(key, { waitMs: 0, ttlMs: harness.ttlMs * 10 });
      assert.ok(successor.fence > stopped.fence);
      a.thaw();
      await until(harness, harness.ttlMs, () => signal.aborted);
      assert.equal(errorCode(signal.reason), "LOCK_LOST");
      assert.equal(errorCode(stopped.signal.reason), "LOCK_LOST");
      await rejectsWith("LOCK_LOST", stopped.extend());
      await stopped.release();
      await rejectsWith("LOCK_TIMEOUT", a.locks.acquire(key, { waitMs: 0 }));
      await successor.extend();
      await successor.release();
    },

  "a lease that ended unseen is not taken again by extending it": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("no-return");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    a.freeze();
    await harness.elapse(harness.ttlMs * 1.5);
    await rejectsWith("LOCK_LOST", lease.extend());
    a.thaw();
    const next = await b.locks.acquire(key, { waitMs: 0 });
    assert.ok(next.fence > lease.fence);
    await next.release();
  },

  "extending gives the lease the new ttl": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("extended");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    await lease.extend(harness.ttlMs * 4);
    a.freeze();
    await harness.elapse(harness.ttlMs * 2);
    await rejectsWith("LOCK_TIMEOUT", b.locks.acquire(key, { waitMs: 0 }));
    a.thaw();
    await lease.extend();
    await rejectsWith("INVALID_OPTIONS", lease.extend(1));
    await lease.release();
    await rejectsWith("LOCK_LOST", lease.extend());
  },

  "those who wait are served in the order in which they came, and nobody overtakes": async (harness) => {
    const participants = [await harness.connect(), await harness.connect(), await harness.connect()];
    const key = freshKey("line");
    const first = await participants[0]!.locks.acquire(key, { ttlMs: harness.ttlMs });
    const order: number[] = [];
    const fences = [first.fence];
    const turns = [];
    for (let i = 0; i < 9; i++) {
      const { turn } = await queueUp(harness, participants[i % 3]!, key);
      turns.push(
        turn.then(async (lease) => {
          order.push(i);
          fences.push(lease.fence);
          await rejectsWith("LOCK_TIMEOUT", participants[(i + 1) % 3]!.locks.acquire(key, { waitMs: 0 }));
          await lease.release();
        }),
      );
    }
    await first.release();
    await Promise.all(turns);
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(
      fences,
      fences.toSorted((x, y) => x - y),
    );
  },

  "one who gives up waiting is passed over": async (harness) => {
    const [a, b, c] = [await harness.connect(), await harness.connect(), await harness.connect()];
    const key = freshKey("given-up");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    const leaving = new AbortController();
    const { turn: left } = await queueUp(harness, b, key, { signal: leaving.signal });
    const { turn: stayed } = await queueUp(harness, c, key);
    leaving.abort(new Error("enough"));
    await assert.rejects(left, { code: "ABORTED" });
    await lease.release();
    const next = await stayed;
    await next.release();
    await rejectsWith("ABORTED", a.locks.acquire(key, { signal: leaving.signal }));
  },

  "one who waits is served when the holder's lease ends": async (harness) => {
    const [a, b] = [await harness.connect(), await harness.connect()];
    const key = freshKey("inherit");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    const { turn: waiting } = await queueUp(harness, b, key);
    let served: Lease | undefined;
    void waiting.then((it) => (served = it));
    a.freeze();
    await harness.elapse(harness.ttlMs * 1.5);
    a.thaw();
    await until(harness, harness.ttlMs, () => served !== undefined);
    assert.ok(served!.fence > lease.fence);
    assert.equal(served!.signal.aborted, false);
    await until(harness, harness.ttlMs, () => lease.signal.aborted);
    await harness.elapse(harness.ttlMs * 2);
    assert.equal(served!.signal.aborted, false, "the successor's lease is renewed");
    await served!.release();
  },

  "closing loses what is held, frees it, and refuses what waits and what comes": async (harness) => {
    const a = await harness.connect();
    const key = freshKey("closed");
    const lease = await a.locks.acquire(key, { ttlMs: harness.ttlMs });
    const { turn: waiting } = await queueUp(harness, a, key);
    await Promise.all([a.locks.close(), assert.rejects(waiting, { code: "CLOSED" })]);
    assert.equal(errorCode(lease.signal.reason), "LOCK_LOST");
    await rejectsWith("LOCK_LOST", lease.extend());
    await lease.release();
    await rejectsWith("CLOSED", a.locks.acquire(key));
    await rejectsWith("CLOSED", a.locks.seed(key, 1));
    await a.locks.close();
    const b = await harness.connect();
    const next = await b.locks.acquire(key, { waitMs: 0 }).catch((error: unknown) => error);
    // In one process the manager may be the one that was closed.
    if (errorCode(next) !== "CLOSED") await (next as Lease).release();
  },
} satisfies Record<string, LockClause>;
