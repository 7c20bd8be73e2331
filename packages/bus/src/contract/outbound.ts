import assert from "node:assert/strict";
import { consume, consumeFor, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** The way out: mailboxes per conversation, addressed to gateways. */
export const outboundClauses = {
  "outbound reaches the gateway it is addressed to, in order per conversation": async (harness) => {
    const one = await harness.connect();
    const north = consumeFor(harness, one, "north");
    const south = consumeFor(harness, one, "south");
    const message = (gatewayId: string, session: string, payload: string, seq: number) => ({
      gatewayId,
      session,
      payload,
      seq,
    });
    await settle(
      harness,
      one.bus.publishOutbound([
        message("north", "a", "n1", 1),
        message("north", "a", "n2", 2),
        message("south", "a", "s1", 1),
      ]),
    );
    const first = await north.next();
    assert.deepEqual([payloads(first), first.messages[0]!.seq], [["n1"], 1]);
    await north.expectNothing();
    assert.deepEqual(payloads(await south.next()), ["s1"]);
    await settle(harness, first.nack({ delayMs: 100 }));
    await north.expectNothing();
    await harness.elapse(150);
    const again = await north.next();
    assert.deepEqual([payloads(again), again.attempt], [["n1"], 2]);
    await settle(harness, again.ack());
    assert.deepEqual(payloads(await north.next()), ["n2"]);
  },
  "replies become visible with the ack, and with it alone": async (harness) => {
    const one = await harness.connect();
    const outbound = consumeFor(harness, one, "g");
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await consume(harness, one).next();
    await rejectsWith("NOT_SERIALIZABLE", held.ack({ outbound: [{ gatewayId: "g", payload: (() => 1) as never }] }));
    await outbound.expectNothing();
    await settle(
      harness,
      held.ack({
        outbound: [
          { gatewayId: "g", id: "r1", payload: "one" },
          { gatewayId: "g", id: "r2", payload: "two" },
        ],
      }),
    );
    const first = await outbound.next();
    assert.deepEqual([first.session, payloads(first), first.messages[0]!.id], ["a", ["one"], "r1"]);
    await settle(harness, first.ack());
    assert.deepEqual(payloads(await outbound.next()), ["two"]);
  },
  "an outbound id goes out once within the window": async (harness) => {
    const one = await harness.connect({ dedupWindowMs: 5_000, retry: { maxAgeMs: 5_000 } });
    const inbox = consume(harness, one);
    const outbound = consumeFor(harness, one, "g");
    for (let i = 0; i < 2; i++) {
      await settle(harness, one.bus.publishInbound(texts("a", `${i}`)));
      await settle(
        harness,
        (await inbox.next()).ack({ outbound: [{ gatewayId: "g", id: "turn1:0", payload: "reply" }] }),
      );
    }
    const [receipt] = await settle(
      harness,
      one.bus.publishOutbound({ gatewayId: "g", session: "a", id: "turn1:0", payload: "reply" }),
    );
    assert.equal(receipt!.status, "duplicate");
    await settle(harness, (await outbound.next()).ack());
    await outbound.expectNothing();
    await harness.elapse(15_000);
    assert.equal(
      (
        await settle(
          harness,
          one.bus.publishOutbound({ gatewayId: "g", session: "a", id: "turn1:0", payload: "reply" }),
        )
      )[0]!.status,
      "accepted",
    );
  },
  "replies are never refused for a full mailbox": async (harness) => {
    const one = await harness.connect({ maxBacklog: 1 });
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const outbound = ["1", "2", "3"].map((payload) => ({ gatewayId: "g", payload }));
    await settle(harness, (await consume(harness, one).next()).ack({ outbound }));
    assert.equal((await settle(harness, one.bus.stats())).outbound.depth, 3);
  },
  "`tryConsumeOutbound` gives what is ready, or nothing at once": async (harness) => {
    const one = await harness.connect();
    assert.equal(await settle(harness, one.bus.tryConsumeOutbound({ gatewayId: "g" })), undefined);
    await settle(
      harness,
      one.bus.publishOutbound(["1", "2", "3"].map((payload) => ({ gatewayId: "g", session: "a", payload }))),
    );
    const got = await settle(harness, one.bus.tryConsumeOutbound({ gatewayId: "g", maxBatch: 2 }));
    assert.deepEqual(payloads(got!), ["1", "2"]);
    assert.equal(await settle(harness, one.bus.tryConsumeOutbound({ gatewayId: "g" })), undefined);
    assert.deepEqual(payloads({ messages: await settle(harness, got!.take()) }), ["3"]);
    await settle(harness, got!.ack());
    assert.equal((await settle(harness, one.bus.stats())).outbound.depth, 0);
  },
  "a reply whose channel refuses it for good becomes an outbound dead letter": async (harness) => {
    const one = await harness.connect();
    await settle(harness, one.bus.publishOutbound({ gatewayId: "g", session: "a", payload: "1" }));
    const outbound = consumeFor(harness, one, "g");
    await settle(harness, (await outbound.next()).nack({ permanent: true, reason: "blocked by the user" }));
    const [letter] = (await settle(harness, one.bus.deadLetters.list())).letters;
    assert.deepEqual([letter!.direction, letter!.gatewayId, letter!.session], ["outbound", "g", "a"]);
    assert.equal(await settle(harness, one.bus.deadLetters.replay(letter!.id)), true);
    assert.deepEqual(payloads(await outbound.next()), ["1"]);
  },
} satisfies Record<string, BusClause>;
