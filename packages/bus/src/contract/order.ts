import assert from "node:assert/strict";
import { consume, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** Order, exclusivity and what a batch is. */
export const orderClauses = {
  "messages of a conversation come in order, the next after the last was acked": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2", "3")));
    for (const expected of ["1", "2", "3"]) {
      const delivery = await inbox.next();
      assert.deepEqual(payloads(delivery), [expected]);
      assert.equal(delivery.attempt, 1);
      await inbox.expectNothing();
      await settle(harness, delivery.ack());
    }
    await inbox.expectNothing();
  },
  "conversations are served in parallel, up to `concurrency`": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one, { concurrency: 2 });
    await settle(harness, one.bus.publishInbound([...texts("a", "a1"), ...texts("b", "b1"), ...texts("c", "c1")]));
    const first = await inbox.next();
    const second = await inbox.next();
    await inbox.expectNothing();
    await settle(harness, first.ack());
    const third = await inbox.next();
    assert.deepEqual([first, second, third].flatMap(payloads).sort(), ["a1", "b1", "c1"]);
  },
  "no conversation is held by two consumers, and none overtakes": async (harness) => {
    const participants = [await harness.connect(), await harness.connect(), await harness.connect()];
    const inboxes = participants.map((participant) => consume(harness, participant));
    await settle(harness, participants[0]!.bus.publishInbound(texts("a", "1", "2")));
    const found = await Promise.allSettled(inboxes.map((inbox) => inbox.next()));
    const got = found.filter((result) => result.status === "fulfilled");
    assert.equal(got.length, 1);
    assert.deepEqual(payloads(got[0]!.value), ["1"]);
    await settle(harness, got[0]!.value.ack());
    const then = await Promise.allSettled(inboxes.map((inbox) => inbox.next()));
    assert.deepEqual(
      then.filter((result) => result.status === "fulfilled").map((result) => payloads(result.value)),
      [["2"]],
    );
  },
  "messages published in one call by several processes keep each call together": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(
      harness,
      Promise.all([one.bus.publishInbound(texts("a", "1", "2")), two.bus.publishInbound(texts("a", "x", "y"))]),
    );
    const delivery = await consume(harness, one, { maxBatch: 10 }).next();
    const got = payloads(delivery).join("");
    assert.ok(got === "12xy" || got === "xy12", got);
  },
  "`maxBatch` joins what a conversation has waiting, and no more": async (harness) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishInbound([...texts("a", "1", "2", "3", "4"), ...texts("b", "x")]));
    const inbox = consume(harness, one, { maxBatch: 3 });
    const found = [await inbox.next(), await inbox.next()].sort((x, y) => y.messages.length - x.messages.length);
    assert.deepEqual(found.map(payloads), [["1", "2", "3"], ["x"]]);
    await settle(harness, found[0]!.ack());
    assert.deepEqual(payloads(await inbox.next()), ["4"]);
  },
  "an ack of some puts the others back in order, without an attempt": async (harness) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2", "3")));
    const inbox = consume(harness, one, { maxBatch: 3 });
    await settle(harness, (await inbox.next()).ack({ count: 1 }));
    const again = await inbox.next();
    assert.deepEqual(payloads(again), ["2", "3"]);
    assert.deepEqual(
      again.messages.map((message) => message.attempt),
      [1, 1],
    );
    await rejectsWith("INVALID_OPTIONS", again.ack({ count: 3 }));
    await settle(harness, again.ack());
  },
  "order holds across redelivery: a failed message comes before those behind it": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    await settle(harness, (await inbox.next()).nack({ delayMs: 200 }));
    await settle(harness, one.bus.publishInbound(texts("a", "3")));
    await inbox.expectNothing();
    await harness.elapse(250);
    for (const [expected, attempt] of [
      ["1", 2],
      ["2", 1],
      ["3", 1],
    ] as const) {
      const delivery = await inbox.next();
      assert.deepEqual([...payloads(delivery), delivery.attempt], [expected, attempt]);
      await settle(harness, delivery.ack());
    }
  },
  "fences grow with every lease of a conversation": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    const first = await inbox.next();
    await settle(harness, first.release());
    const second = await inbox.next();
    assert.ok(Number.isSafeInteger(first.fence) && second.fence > first.fence);
    const far = second.fence + 3_600_000_000;
    await settle(harness, one.bus.seedFence({ session: "a" }, far));
    await settle(harness, second.ack());
    assert.ok((await inbox.next()).fence > far);
  },
  "a message arrives as it was sent, as a copy": async (harness) => {
    const one = await harness.connect();
    const payload = { text: "¿Qué tal? 🧶|||\u0000", list: [1, null, true], deep: { a: { b: "c" } } };
    const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    await settle(
      harness,
      one.bus.publishInbound({
        tenant: "acme/%2F",
        session: "tele/gram:9%1",
        id: "m 1",
        idempotencyKey: "k:1",
        interrupt: true,
        trace,
        payload,
      }),
    );
    const [message] = (await consume(harness, one).next()).messages;
    assert.deepEqual(
      { ...message, enqueuedAt: 0 },
      {
        id: "m 1",
        tenant: "acme/%2F",
        session: "tele/gram:9%1",
        idempotencyKey: "k:1",
        enqueuedAt: 0,
        attempt: 1,
        interrupt: true,
        trace,
        payload,
      },
    );
    assert.notEqual(message!.payload, payload);
  },
} satisfies Record<string, BusClause>;
