import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { consume, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** Figures, draining, closing. */
export const operationClauses = {
  "stats count what waits, is held and is delayed": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    assert.deepEqual(await settle(harness, one.bus.stats()), {
      inbound: { depth: 0, oldestAgeMs: 0, oldestWaitingAgeMs: 0, inFlight: 0, delayed: 0, parked: 0, scheduled: 0 },
      outbound: { depth: 0, oldestAgeMs: 0, oldestWaitingAgeMs: 0, inFlight: 0, delayed: 0, parked: 0, scheduled: 0 },
      dead: 0,
      gateways: [],
    });
    await settle(harness, one.bus.publishInbound([...texts("a", "1", "2"), ...texts("b", "1"), ...texts("c", "1")]));
    await settle(harness, one.bus.publishOutbound({ gatewayId: "g", session: "a", payload: 1 }));
    await harness.elapse(500);
    const inbox = consume(harness, one, { concurrency: 2 });
    await inbox.next();
    await settle(harness, (await inbox.next()).nack({ delayMs: 60_000 }));
    await inbox.next();
    const { inbound, outbound, dead } = await settle(harness, two.bus.stats());
    assert.ok(inbound.oldestAgeMs >= 500 && inbound.oldestAgeMs < 2_000, `${inbound.oldestAgeMs}`);
    assert.deepEqual(
      { ...inbound, oldestAgeMs: 0 },
      { depth: 4, oldestAgeMs: 0, oldestWaitingAgeMs: 0, inFlight: 2, delayed: 1, parked: 0, scheduled: 0 },
    );
    assert.deepEqual([outbound.depth, dead], [1, 0]);
  },
  "the oldest that waits is of what could be handed out: not held, not behind one that is, not parked, not delayed":
    async (harness) => {
      const one = await harness.connect({ retry: { maxAttempts: 2, onExhausted: "park" } });
      const waiting = async () => (await settle(harness, one.bus.stats())).inbound.oldestWaitingAgeMs;
      const expectAge = async (least: number) => {
        const age = await waiting();
        assert.ok(age >= least && age < least + 1_000, `${age}, and not about ${least}`);
      };
      await settle(
        harness,
        one.bus.publishInbound([...texts("held", "1", "2"), ...texts("parked", "1"), ...texts("delayed", "1")]),
      );
      await harness.elapse(2_000);
      await expectAge(2_000);
      const inbox = consume(harness, one, { concurrency: 8 });
      const first = [await inbox.next(), await inbox.next(), await inbox.next()];
      const of = (session: string) => first.find((delivery) => delivery.session === session)!;
      await settle(harness, of("parked").nack({ error: new HebraError("UNSUPPORTED", "No.", { retryable: false }) }));
      await settle(harness, of("delayed").nack({ delayMs: 20_000 }));
      await inbox.expectNothing();
      const { inbound } = await settle(harness, one.bus.stats());
      assert.deepEqual(
        [inbound.depth, inbound.inFlight, inbound.parked, inbound.delayed, inbound.oldestWaitingAgeMs],
        [4, 1, 1, 1, 0],
      );
      assert.ok(inbound.oldestAgeMs >= 2_000, `${inbound.oldestAgeMs}`);

      // Nobody takes more from here on: what is given back waits.
      const draining = one.bus.drain({ deadlineMs: 1_000 });
      await settle(harness, of("held").release());
      await expectAge(2_000);
      await harness.elapse(1_100);
      await settle(harness, draining);
      await expectAge(3_100);
    },
  "what a process held that is gone waits for another as soon as its lease is over": async (harness) => {
    const one = await harness.connect();
    const other = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    await consume(harness, one).next();
    one.freeze();
    assert.equal((await settle(harness, other.bus.stats())).inbound.oldestWaitingAgeMs, 0);
    await harness.elapse(harness.leaseMs + 100);
    const { oldestWaitingAgeMs } = (await settle(harness, other.bus.stats())).inbound;
    assert.ok(oldestWaitingAgeMs >= harness.leaseMs, `${oldestWaitingAgeMs}`);
  },
  "a drain lets handlers finish, and takes on no more": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    const inbox = consume(harness, one, { concurrency: 2 });
    await settle(harness, one.bus.publishInbound([...texts("a", "1"), ...texts("b", "1"), ...texts("c", "1")]));
    const held = await inbox.next();
    for (let i = 0; i < 4; i++) await harness.elapse(0);
    const draining = one.bus.drain({ deadlineMs: 10_000 });
    await inbox.next().then(
      () => assert.fail("a delivery was handed out after the drain began"),
      (error: Error) => assert.match(error.message, /ended/),
    );
    assert.equal(one.bus.health().state, "draining");
    await harness.elapse(100);
    await settle(harness, held.ack());
    await harness.elapse(50);
    assert.deepEqual(await settle(harness, draining), { settled: 1, released: 1 });
    const other = consume(harness, two);
    const rest = [await other.next(), await other.next()];
    assert.deepEqual([held, ...rest].map((delivery) => delivery.session + String(delivery.attempt)).sort(), [
      "a1",
      "b1",
      "c1",
    ]);
  },
  "a drain releases the rest at its deadline": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await consume(harness, one).next();
    const { signal } = held;
    const draining = one.bus.drain({ deadlineMs: 200 });
    await harness.elapse(300);
    assert.deepEqual(await settle(harness, draining), { settled: 0, released: 1 });
    assert.equal(signal.aborted, true);
    const again = await consume(harness, two).next();
    assert.deepEqual([payloads(again), again.attempt], [["1"], 1]);
  },
  "a processed delivery is acked with what its handler returns, and nacked with what it throws": async (harness) => {
    const one = await harness.connect({ retry: { baseMs: 0, capMs: 0, maxAttempts: 2 } });
    const seen: string[] = [];
    const abort = new AbortController();
    const done = one.bus.process(
      async (delivery) => {
        const [text] = payloads(delivery) as [string];
        seen.push(`${text}${delivery.attempt}`);
        if (text === "fails") throw new Error("no luck");
        if (text === "settled") return void (await delivery.release({ delayMs: 60_000 }));
        if (text === "sends what cannot be sent") return { outbound: [{ gatewayId: "g", payload: 1n as never }] };
        return { outbound: [{ gatewayId: "g", id: `reply:${text}`, payload: text }] };
      },
      { concurrency: 4, signal: abort.signal },
    );
    const all = ["works", "fails", "settled", "sends what cannot be sent"];
    await settle(harness, one.bus.publishInbound(all.flatMap((text, i) => texts(`s${i}`, text))));
    for (let i = 0; i < 20; i++) await harness.elapse(0);
    assert.deepEqual(
      seen.sort(),
      ["fails1", "fails2", "sends what cannot be sent1", "settled1", "works1"].sort(),
      "what cannot be sent is permanent",
    );
    const { letters } = await settle(harness, one.bus.deadLetters.list());
    assert.deepEqual(letters.map(({ cause }) => cause).sort(), ["exhausted", "permanent"]);
    const reply = await settle(harness, one.bus.tryConsumeOutbound({ gatewayId: "g" }));
    assert.deepEqual(
      reply!.messages.map(({ payload }) => payload),
      ["works"],
    );
    assert.deepEqual((await settle(harness, one.bus.stats())).inbound.delayed, 1);
    abort.abort();
    await settle(harness, done);
  },
  "an aborted consumer ends; what it holds can still be settled": async (harness) => {
    const one = await harness.connect();
    const abort = new AbortController();
    const inbox = consume(harness, one, { signal: abort.signal });
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await inbox.next();
    abort.abort();
    await inbox.expectEnd();
    await settle(harness, one.bus.publishInbound(texts("b", "1")));
    await settle(harness, held.ack());
    const { inbound } = await settle(harness, one.bus.stats());
    assert.deepEqual([inbound.depth, inbound.inFlight], [1, 0]);
  },
  "leaving the loop ends the consumer and gives back what it had not handed out": async (harness) => {
    const one = await harness.connect();
    const iterator = one.bus.consumeInbound({ concurrency: 5 });
    await settle(harness, one.bus.publishInbound([...texts("a", "1"), ...texts("b", "1"), ...texts("c", "1")]));
    const first = await settle(harness, iterator.next());
    await settle(harness, iterator.return!());
    await settle(harness, (first.value as { ack(): Promise<void> }).ack());
    assert.deepEqual((await settle(harness, one.bus.stats())).inbound.inFlight, 0);
    const again = consume(harness, one);
    assert.deepEqual([(await again.next()).attempt, (await again.next()).attempt], [1, 1]);
  },
  "a closed bus gives back what it held and refuses everything": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const inbox = consume(harness, one);
    const held = await inbox.next();
    const { signal } = held;
    await settle(harness, one.bus.close());
    await settle(harness, one.bus.close());
    assert.equal(signal.aborted, true);
    assert.equal(one.bus.health().state, "closed");
    await rejectsWith("CLOSED", one.bus.publishInbound(texts("a", "2")));
    await rejectsWith("CLOSED", one.bus.claim({ session: "b" }));
    await rejectsWith("CLOSED", one.bus.stats());
    await inbox.expectEnd();
    assert.equal((await consume(harness, two).next()).attempt, 1);
  },
} satisfies Record<string, BusClause>;
