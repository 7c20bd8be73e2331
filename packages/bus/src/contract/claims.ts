import assert from "node:assert/strict";
import { consume, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** Direct calls: tickets in the mailbox. */
export const claimClauses = {
  "a free conversation is claimed at once, and then nobody else gets it": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    const held = await settle(harness, one.bus.claim({ session: "a" }));
    assert.deepEqual([held.session, held.messages.length], ["a", 0]);
    await rejectsWith("LOCK_TIMEOUT", settle(harness, two.bus.claim({ session: "a" }, { waitMs: 0 })));
    const inbox = consume(harness, two);
    await settle(harness, two.bus.publishInbound(texts("a", "1")));
    await inbox.expectNothing();
    await settle(harness, held.release());
    const delivery = await inbox.next();
    assert.deepEqual([payloads(delivery), delivery.attempt], [["1"], 1]);
    assert.ok(delivery.fence > held.fence);
  },
  "a claim waits behind the messages that were there, and before those that come": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    const inbox = consume(harness, one, { maxBatch: 10 });
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const first = await inbox.next();
    await settle(harness, one.bus.publishInbound(texts("a", "2")));
    let held: Awaited<ReturnType<typeof two.bus.claim>> | undefined;
    two.bus.claim({ session: "a" }, { waitMs: Infinity }).then(
      (claim) => (held = claim),
      () => {},
    );
    for (let i = 0; i < 4; i++) await harness.elapse(0);
    await settle(harness, one.bus.publishInbound(texts("a", "3")));
    assert.deepEqual(
      payloads({ messages: await settle(harness, first.take({ max: 9 })) }),
      ["2"],
      "a take stops at the ticket",
    );
    await settle(harness, first.ack());
    for (let i = 0; i < 20 && held === undefined; i++) await harness.elapse(0);
    assert.ok(held !== undefined, "the claim was not granted");
    await inbox.expectNothing();
    await settle(harness, held.ack());
    assert.deepEqual(payloads(await inbox.next()), ["3"]);
  },
  "claims are served first come, first served": async (harness) => {
    const one = await harness.connect();
    const order: string[] = [];
    let held = await settle(harness, one.bus.claim({ session: "a" }));
    const waiting: Promise<void>[] = [];
    for (const name of ["x", "y", "z"]) {
      const participant = await harness.connect();
      waiting.push(
        participant.bus.claim({ session: "a" }, { waitMs: Infinity }).then((claim) => {
          order.push(name);
          held = claim;
        }),
      );
      for (let i = 0; i < 4; i++) await harness.elapse(0);
    }
    for (let i = 0; i < 3; i++) {
      const before = held;
      await settle(harness, before.release());
      await settle(harness, waiting[i]!);
    }
    assert.deepEqual(order, ["x", "y", "z"]);
    await settle(harness, held.release());
    assert.equal((await settle(harness, one.bus.stats())).inbound.inFlight, 0);
  },
  "a claim gives up after its time, or by its signal, and leaves nothing behind": async (harness) => {
    const one = await harness.connect();
    const held = await settle(harness, one.bus.claim({ session: "a" }));
    const late = one.bus.claim({ session: "a" }, { waitMs: 300 });
    late.catch(() => {});
    await harness.elapse(350);
    await rejectsWith("LOCK_TIMEOUT", settle(harness, late));
    const abort = new AbortController();
    const aborted = one.bus.claim({ session: "a" }, { signal: abort.signal });
    aborted.catch(() => {});
    await harness.elapse(0);
    abort.abort();
    await rejectsWith("ABORTED", settle(harness, aborted));
    for (let i = 0; i < 4; i++) await harness.elapse(0);
    await settle(harness, held.release());
    const again = await settle(harness, one.bus.claim({ session: "a" }, { waitMs: 0 }));
    await settle(harness, again.ack());
  },
  "a ticket whose issuer fell silent is skipped": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    const inbox = consume(harness, two);
    await settle(harness, two.bus.publishInbound(texts("a", "1")));
    const first = await inbox.next();
    one.bus.claim({ session: "a" }, { waitMs: Infinity }).catch(() => {});
    for (let i = 0; i < 4; i++) await harness.elapse(0);
    one.freeze();
    await settle(harness, two.bus.publishInbound(texts("a", "2")));
    for (let i = 0; i < 6; i++) await harness.elapse(harness.leaseMs / 4);
    await settle(harness, first.ack());
    assert.deepEqual(payloads(await inbox.next()), ["2"]);
  },
  "a claim whose holder fell silent passes on": async (harness) => {
    const one = await harness.connect();
    const two = await harness.connect();
    const held = await settle(harness, one.bus.claim({ session: "a" }));
    const { signal } = held;
    one.freeze();
    const inbox = consume(harness, two);
    await settle(harness, two.bus.publishInbound(texts("a", "1")));
    await inbox.expectNothing();
    for (let i = 0; i < 5; i++) await harness.elapse(harness.leaseMs / 4);
    const delivery = await inbox.next();
    assert.deepEqual([payloads(delivery), delivery.attempt], [["1"], 1]);
    one.thaw();
    await harness.elapse(harness.leaseMs / 4);
    assert.equal(signal.aborted, true);
    await rejectsWith("LEASE_LOST", settle(harness, held.ack()));
  },
  "a claim may take messages that wait behind it, and its ack removes them": async (harness) => {
    const one = await harness.connect();
    const held = await settle(harness, one.bus.claim({ session: "a" }));
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2", "3")));
    assert.deepEqual(payloads({ messages: await settle(harness, held.take({ max: 2 })) }), ["1", "2"]);
    await settle(harness, held.ack({ outbound: [{ gatewayId: "g", payload: "done" }] }));
    assert.deepEqual(payloads((await settle(harness, one.bus.tryConsumeOutbound({ gatewayId: "g" })))!), ["done"]);
    assert.deepEqual(payloads(await consume(harness, one).next()), ["3"]);
  },
} satisfies Record<string, BusClause>;
