import assert from "node:assert/strict";
import {
  consume,
  settle,
  type BusClause,
  type BusContractHarness,
  type BusParticipant,
  type Inbox,
} from "./harness.ts";

async function fill(
  harness: BusContractHarness,
  { bus }: BusParticipant,
  tenant: string,
  conversations: number,
  priority: "normal" | "high" = "normal",
): Promise<void> {
  const messages = Array.from({ length: conversations }, (_, i) => ({
    tenant,
    session: `${priority}${i}`,
    priority,
    payload: tenant,
  }));
  await settle(harness, bus.publishInbound(messages));
}

/** The tenants (or sessions) served, acked one after another. */
async function served(
  harness: BusContractHarness,
  from: Inbox,
  count: number,
  by: "tenant" | "session" = "tenant",
): Promise<string> {
  const order: string[] = [];
  for (let i = 0; i < count; i++) {
    const delivery = await from.next();
    order.push(delivery[by][0]!);
    await settle(harness, delivery.ack());
  }
  return order.join("");
}

/** Tenants take turns; weights, caps, rates; the fast lane. */
export const fairnessClauses = {
  "tenants take turns, however deep one of them is": async (harness) => {
    const one = await harness.connect();
    await fill(harness, one, "a", 20);
    await fill(harness, one, "b", 3);
    const order = await served(harness, consume(harness, one, { concurrency: 1 }), 8);
    assert.equal(order, "abababaa");
  },
  "a heavier tenant has more conversations in its turn": async (harness) => {
    const one = await harness.connect({ tenants: { byTenant: { a: { weight: 3 } } } });
    await fill(harness, one, "a", 20);
    await fill(harness, one, "b", 20);
    const order = await served(harness, consume(harness, one, { concurrency: 1 }), 12);
    assert.equal(order, "aaabaaabaaab");
  },
  "a capped tenant holds at most that many, and the others go on": async (harness) => {
    const one = await harness.connect({ tenants: { byTenant: { a: { maxInFlight: 2 } } } });
    const two = await harness.connect({ tenants: { byTenant: { a: { maxInFlight: 2 } } } });
    await fill(harness, one, "a", 5);
    const inbox = consume(harness, one, { concurrency: 4 });
    const held = [await inbox.next(), await inbox.next()];
    await inbox.expectNothing();
    await consume(harness, two).expectNothing();
    await fill(harness, one, "b", 1);
    const found = await Promise.allSettled([inbox.next()]);
    if (found[0]!.status === "fulfilled") assert.equal(found[0]!.value.tenant, "b");
    await settle(harness, held[0]!.ack());
    const { inFlight } = (await settle(harness, one.bus.stats())).inbound;
    assert.ok(inFlight >= 2 && inFlight <= 3, `${inFlight} in flight`);
  },
  "a capped tenant's conversations do not wait for a consumer, but for the cap": async (harness) => {
    const one = await harness.connect({ tenants: { byTenant: { a: { maxInFlight: 1 } } } });
    await settle(
      harness,
      one.bus.publishInbound(["x", "y"].map((session) => ({ tenant: "a", session, payload: "1" }))),
    );
    await harness.elapse(2_000);
    assert.ok((await settle(harness, one.bus.stats())).inbound.oldestWaitingAgeMs >= 2_000);
    const inbox = consume(harness, one, { concurrency: 8 });
    await inbox.next();
    await inbox.expectNothing();
    const { depth, inFlight, oldestWaitingAgeMs } = (await settle(harness, one.bus.stats())).inbound;
    assert.deepEqual([depth, inFlight, oldestWaitingAgeMs], [2, 1, 0]);
  },
  "a cap heals when its holder dies": async (harness) => {
    const options = { tenants: { default: { maxInFlight: 1 } } };
    const one = await harness.connect(options);
    const two = await harness.connect(options);
    await fill(harness, one, "a", 2);
    await consume(harness, one, { concurrency: 1 }).next();
    one.freeze();
    const inbox = consume(harness, two);
    await inbox.expectNothing();
    await harness.elapse(harness.leaseMs + 50);
    await settle(harness, (await inbox.next()).ack());
    await settle(harness, (await inbox.next()).ack());
    await inbox.expectNothing();
  },
  "a tenant's rate spreads its deliveries": async (harness) => {
    const one = await harness.connect({ tenants: { byTenant: { a: { perMinute: 60, burst: 2 } } } });
    await fill(harness, one, "a", 5);
    const inbox = consume(harness, one);
    assert.equal(await served(harness, inbox, 2), "aa");
    await inbox.expectNothing();
    await harness.elapse(1_050);
    assert.equal(await served(harness, inbox, 1), "a");
    await inbox.expectNothing();
    await harness.elapse(2_050);
    assert.equal(await served(harness, inbox, 2), "aa");
  },
  "the fast lane goes first, eight to one": async (harness) => {
    const one = await harness.connect();
    await fill(harness, one, "t", 5);
    await fill(harness, one, "t", 20, "high");
    const order = await served(harness, consume(harness, one, { concurrency: 1 }), 20, "session");
    assert.equal(order, "hhhhhhhhnhhhhhhhhnhh");
  },
  "priority never changes the order inside a conversation": async (harness) => {
    const one = await harness.connect();
    await settle(
      harness,
      one.bus.publishInbound([
        { session: "x", payload: 1 },
        { session: "y", payload: 1 },
        { session: "y", payload: 2, priority: "high" },
      ]),
    );
    const inbox = consume(harness, one, { concurrency: 1 });
    const got: string[] = [];
    for (let i = 0; i < 3; i++) {
      const delivery = await inbox.next();
      got.push(`${delivery.session}${String(delivery.messages[0]!.payload)}`);
      await settle(harness, delivery.ack());
    }
    assert.deepEqual(got, ["x1", "y1", "y2"]);
  },
} satisfies Record<string, BusClause>;
