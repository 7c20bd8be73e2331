import assert from "node:assert/strict";
import { consume, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** Leases: kept alive, lost, shared out in mid-turn. */
export const leaseClauses = {
  "a lease is kept alive for as long as its holder lives": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await consume(harness, one).next();
    const other = consume(harness, two);
    for (let i = 0; i < 12; i++) await harness.elapse(harness.leaseMs / 4);
    await other.expectNothing();
    assert.equal(held.signal.aborted, false);
    await settle(harness, held.extend());
    await settle(harness, held.ack());
  },
  "the lease of a silent holder passes on: its signal aborts, its ack is refused, the attempt counts": async (
    harness,
  ) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    const held = await consume(harness, one).next();
    const { signal } = held;
    const other = consume(harness, two);
    one.freeze();
    for (let i = 0; i < 5; i++) await harness.elapse(harness.leaseMs / 4);
    const again = await other.next();
    assert.deepEqual([...payloads(again), again.attempt], ["1", 2]);
    assert.ok(again.fence > held.fence);
    one.thaw();
    await harness.elapse(harness.leaseMs / 4);
    assert.equal(signal.aborted, true);
    await rejectsWith("LEASE_LOST", settle(harness, held.ack({ outbound: [{ gatewayId: "g", payload: "never" }] })));
    await settle(harness, held.nack());
    await settle(harness, held.release());
    assert.ok(one.events.some((event) => event.type === "lease-lost" && event.fence === held.fence));
    await settle(harness, again.ack());
    assert.deepEqual(payloads(await other.next()), ["2"]);
    assert.equal(await settle(harness, two.bus.tryConsumeOutbound({ gatewayId: "g" })), undefined);
  },
  "an ack after the deadline still counts when nobody else had the conversation": async (harness) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await consume(harness, one, { concurrency: 1 }).next();
    one.freeze();
    await harness.elapse(harness.leaseMs * 2);
    const acked = held.ack();
    one.thaw();
    await settle(harness, acked);
    assert.equal((await settle(harness, one.bus.stats())).inbound.depth, 0);
  },
  "a release gives back without counting, at once or later": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    await settle(harness, (await inbox.next()).release());
    const again = await inbox.next();
    assert.equal(again.attempt, 1);
    await settle(harness, again.release({ delayMs: 300 }));
    await inbox.expectNothing();
    await harness.elapse(350);
    assert.equal((await inbox.next()).attempt, 1);
  },
  "a delivery is settled once": async (harness) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await consume(harness, one).next();
    await settle(harness, held.ack());
    await rejectsWith("ILLEGAL_TRANSITION", held.ack());
    await rejectsWith("ILLEGAL_TRANSITION", held.nack());
    await settle(harness, held.release());
    assert.equal(held.signal.aborted, false);
  },
  "a message that interrupts and came before its holder listened is told as one": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const inbox = consume(harness, one);
    const held = await inbox.next();
    await settle(harness, two.bus.publishInbound(texts("a", "2")));
    await settle(harness, two.bus.publishInbound({ session: "a", payload: "stop!", interrupt: true }));
    const heard: boolean[] = [];
    held.onMore(({ interrupt }) => heard.push(interrupt));
    for (let i = 0; i < 20 && !heard.includes(true); i++) await harness.elapse(0);
    assert.ok(heard.includes(true));
    assert.deepEqual(payloads({ messages: await settle(harness, held.take({ max: 5 })) }), ["2", "stop!"]);
    await settle(harness, held.release());
  },
  "`onMore` tells of what waits and of what comes, `take` leases it": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    const inbox = consume(harness, one);
    const held = await inbox.next();
    const heard: boolean[] = [];
    const stop = held.onMore(({ interrupt }) => heard.push(interrupt));
    for (let i = 0; i < 5 && heard.length < 1; i++) await harness.elapse(0);
    assert.deepEqual(heard, [false], "what waits already");
    await settle(harness, two.bus.publishInbound({ session: "a", payload: "stop!", interrupt: true }));
    for (let i = 0; i < 20 && heard.length < 2; i++) await harness.elapse(0);
    assert.deepEqual(heard, [false, true]);
    assert.deepEqual(payloads({ messages: await settle(harness, held.take()) }), ["2"]);
    const [last] = await settle(harness, held.take({ max: 5 }));
    assert.deepEqual([last!.payload, last!.interrupt], ["stop!", true]);
    assert.deepEqual(await settle(harness, held.take()), []);
    assert.deepEqual(payloads(held), ["1", "2", "stop!"]);
    stop();
    await settle(harness, two.bus.publishInbound(texts("a", "4")));
    for (let i = 0; i < 4; i++) await harness.elapse(0);
    assert.equal(heard.length, 2);
    await settle(harness, held.ack());
    assert.deepEqual(payloads(await inbox.next()), ["4"]);
  },
  "what was taken comes back when the holder fails, one by one": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one, { maxBatch: 10 });
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await inbox.next();
    await settle(harness, one.bus.publishInbound(texts("a", "2", "3")));
    await settle(harness, held.take({ max: 1 }));
    await settle(harness, held.nack({ delayMs: 0 }));
    const first = await inbox.next();
    assert.deepEqual([...payloads(first), first.attempt], ["1", 2]);
    assert.deepEqual(await settle(harness, first.take({ max: 9 })), [], "a redelivery is not given on top of another");
    await settle(harness, first.ack());
    const second = await inbox.next();
    assert.deepEqual([...payloads(second), second.attempt], ["2", 2]);
    await settle(harness, second.ack());
    const third = await inbox.next();
    assert.deepEqual([...payloads(third), third.attempt], ["3", 1]);
  },
  "after a failed batch its messages come one at a time, then batches again": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one, { maxBatch: 3 });
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2", "3", "4", "5")));
    await settle(harness, (await inbox.next()).nack({ delayMs: 0 }));
    for (const expected of ["1", "2", "3"]) {
      const alone = await inbox.next();
      assert.deepEqual([payloads(alone), alone.attempt], [[expected], 2]);
      await settle(harness, alone.ack());
    }
    assert.deepEqual(payloads(await inbox.next()), ["4", "5"]);
  },
} satisfies Record<string, BusClause>;
