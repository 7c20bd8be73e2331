import assert from "node:assert/strict";
import { createManualClock, errorCode, HebraError } from "@hebra/core";
import { test } from "vitest";
import { HeldLease } from "./held-lease.ts";
import { createTimerSlots } from "./timer-slots.ts";

/** A backend whose answers are given by hand. */
function setup(ttlMs = 3000, grantedMs?: number) {
  const clock = createManualClock();
  const asked: { at: number; ttlMs: number; answer: (held: boolean) => void; fail: (error: Error) => void }[] = [];
  const done: string[] = [];
  const lease = new HeldLease<undefined>(
    {
      clock,
      timers: createTimerSlots(clock),
      renew: (_, wanted) =>
        new Promise((answer, fail) => asked.push({ at: clock.monotonic(), ttlMs: wanted, answer, fail })),
      release: () => void done.push("released"),
      ended: (_, how) => void done.push(`ended: ${how}`),
    },
    { key: "k", handle: undefined, fence: 7, ttlMs, since: clock.monotonic(), grantedMs },
  );
  return { clock, asked, done, lease };
}
const unreachable = new HebraError("UNREACHABLE", "down");

test("it asks at a third of the ttl, and counts the next from before the request, not from its answer", async () => {
  const { clock, asked, lease } = setup();
  await clock.advance(1000);
  assert.ok(asked[0]!.at > 940 && asked[0]!.at <= 1000);
  await clock.advance(600);
  asked[0]!.answer(true);
  await clock.advance(400);
  assert.equal(asked.length, 2);
  assert.ok(asked[1]!.at <= asked[0]!.at + 1000);
  assert.equal(lease.expiresAt, asked[0]!.at + 3000);
});

test("failures are repeated until the deadline, then the lease is lost with the last failure as cause", async () => {
  const { clock, asked, done, lease } = setup();
  const { signal } = lease;
  let lostAt = 0;
  signal.addEventListener("abort", () => (lostAt = clock.monotonic()));
  while (!signal.aborted) {
    await clock.advance(10);
    for (const request of asked) request.fail(unreachable);
  }
  assert.ok(asked.length >= 4, `${asked.length} attempts`);
  assert.ok(lostAt > 2900 && lostAt < 3000, `lost at ${lostAt}`);
  assert.equal((signal.reason as HebraError).cause, unreachable);
  assert.deepEqual(done, ["ended: lost"]);
  assert.equal(clock.pending(), 0);
});

test("one success after failures saves it", async () => {
  const { clock, asked, lease } = setup();
  await clock.advance(1000);
  asked[0]!.fail(unreachable);
  await clock.advance(300);
  asked[1]!.answer(true);
  await clock.advance(1000);
  asked[2]!.answer(true);
  await clock.advance(500);
  assert.equal(lease.signal.aborted, false);
});

test("a request that is never answered does not outlive the deadline", async () => {
  const { clock, done } = setup();
  await clock.advance(3000);
  assert.deepEqual(done, ["ended: lost"]);
});

test("an answer that arrives after the loss changes nothing", async () => {
  const { clock, asked, lease } = setup();
  await clock.advance(3000);
  asked[0]!.answer(true);
  await clock.advance(0);
  assert.equal(errorCode(lease.signal.reason), "LOCK_LOST");
  await assert.rejects(lease.extend(), { code: "LOCK_LOST" });
  assert.equal(clock.pending(), 0);
});

test("an older request's success does not count, and its successor's failure still leads to another attempt", async () => {
  const { clock, asked, lease } = setup();
  await clock.advance(1000);
  const extended = lease.extend(9000);
  asked[0]!.answer(true);
  await clock.advance(0);
  assert.equal(lease.expiresAt, 3000);
  asked[1]!.fail(unreachable);
  await assert.rejects(extended, { code: "UNREACHABLE" });
  await clock.advance(300);
  assert.equal(asked.length, 3);
  assert.equal(asked[2]!.ttlMs, 3000, "what was not confirmed is not the ttl");
});

test("a probation is confirmed at once, and lost if it is not", async () => {
  const kept = setup(3000, 300);
  await kept.clock.advance(0);
  kept.asked[0]!.answer(true);
  await kept.clock.advance(900);
  assert.equal(kept.lease.signal.aborted, false);
  const dropped = setup(3000, 300);
  await dropped.clock.advance(300);
  assert.equal(dropped.lease.signal.aborted, true);
});

test("a release stops the renewals and is no loss", async () => {
  const { clock, asked, done, lease } = setup();
  const { signal } = lease;
  await lease.release();
  await lease.release();
  await clock.advance(10_000);
  assert.equal(asked.length, 0);
  assert.equal(signal.aborted, false);
  assert.deepEqual(done, ["ended: released", "released"]);
});
