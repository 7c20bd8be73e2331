import assert from "node:assert/strict";
import {
  consume,
  payloads,
  settle,
  texts,
  type BusClause,
  type BusParticipant,
  type BusContractHarness,
} from "./harness.ts";

/** Handles what comes until the poison does, and then stands still. @returns what it handled */
async function workUntilPoison(harness: BusContractHarness, process: BusParticipant): Promise<string[]> {
  const handled: string[] = [];
  const iterator = process.bus.consumeInbound({ concurrency: 10 });
  for (;;) {
    const next = iterator.next();
    let delivery: Awaited<typeof next> | undefined;
    void next.then((result) => (delivery = result));
    for (let i = 0; i < 20 && delivery === undefined; i++) await harness.elapse(0);
    if (delivery?.value === undefined) return handled;
    if (payloads(delivery.value)[0] === "poison") {
      process.freeze();
      return handled;
    }
    handled.push(delivery.value.session);
    await settle(harness, delivery.value.ack());
  }
}

/** What happens to conversations whose process ended without a word. */
export const crashClauses = {
  "after a crash the conversations of the process go out one at a time to each process, without an attempt counted [BU-4]":
    async (harness) => {
      const one = await harness.connect();
      const sessions = ["a", "b", "c", "d"];
      await settle(harness, one.bus.publishInbound(sessions.flatMap((session) => texts(session, "1"))));
      const inbox = consume(harness, one, { concurrency: 10 });
      for (const _ of sessions) await inbox.next();
      one.freeze();
      await harness.elapse(harness.leaseMs + 100);
      const two = await harness.connect();
      const other = consume(harness, two, { concurrency: 10 });
      await settle(harness, two.bus.publishInbound(texts("fresh", "1")));
      const first = [await other.next(), await other.next()];
      await other.expectNothing();
      assert.ok(
        first.some(({ session }) => session === "fresh"),
        "others go on beside",
      );
      const trial = first.find(({ session }) => session !== "fresh")!;
      assert.equal(trial.attempt, 1);
      await settle(harness, trial.ack());
      const seen = [trial.session];
      for (let i = 0; i < 3; i++) {
        const delivery = await other.next();
        await other.expectNothing();
        assert.equal(delivery.attempt, 1);
        seen.push(delivery.session);
        await settle(harness, delivery.ack());
      }
      assert.deepEqual(seen.sort(), sessions);
    },
  "a message that ends its process five times is dead-lettered alone: none of those that were held beside it [BU-4]":
    async (harness) => {
      const options = { retry: { maxAttempts: 5 } };
      const publisher = await harness.connect(options);
      const innocents = Array.from({ length: 9 }, (_, i) => `innocent${i}`);
      await settle(
        harness,
        publisher.bus.publishInbound([
          ...innocents.flatMap((session) => texts(session, "fine")),
          ...texts("guilty", "poison"),
        ]),
      );
      const first = await harness.connect(options);
      const inbox = consume(harness, first, { concurrency: 10 });
      for (let i = 0; i < 10; i++) await inbox.next();
      first.freeze();
      const handled: string[] = [];
      for (let crash = 0; crash < 8; crash++) {
        await harness.elapse(harness.leaseMs + 100);
        handled.push(...(await workUntilPoison(harness, await harness.connect(options))));
      }
      const { letters } = await settle(harness, publisher.bus.deadLetters.list());
      assert.deepEqual(
        letters.map(({ session, cause, attempts }) => [session, cause, attempts]),
        [["guilty", "exhausted", 5]],
      );
      assert.deepEqual(handled.sort(), innocents);
    },
  "what waits for a trial goes out without one after the time of a lease, and then does not count [BU-4]": async (
    harness,
  ) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishInbound([...texts("a", "1"), ...texts("b", "1")]));
    const inbox = consume(harness, one, { concurrency: 2 });
    await inbox.next();
    await inbox.next();
    one.freeze();
    await harness.elapse(harness.leaseMs + 100);
    const two = await harness.connect();
    const other = consume(harness, two, { concurrency: 10 });
    const trial = await other.next();
    await other.expectNothing();
    await harness.elapse(harness.leaseMs + 100);
    const beside = await other.next();
    assert.notEqual(beside.session, trial.session);
    assert.equal(beside.attempt, 1);
    two.freeze();
    await harness.elapse(2 * harness.leaseMs + 200);
    const three = await harness.connect();
    const last = consume(harness, three, { concurrency: 10 });
    const attempts = new Map<string, number>();
    for (let i = 0; i < 2; i++) {
      const delivery = await last.next();
      attempts.set(delivery.session, delivery.attempt);
      await settle(harness, delivery.ack());
    }
    assert.equal(attempts.get(trial.session), 2, "the one on trial counts");
    assert.equal(attempts.get(beside.session), 1, "the other does not");
  },
} satisfies Record<string, BusClause>;
