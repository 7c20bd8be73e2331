import assert from "node:assert/strict";
import type { ScheduledMessage } from "../client/bus-reports.ts";
import type { Delivery } from "../bus.ts";
import { consume, consumeFor, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** What an operator needs to empty a bus: what is for later, what waits, and for whom. */
export const movingClauses = {
  "what is scheduled can be read page by page, soonest first within a conversation, and taken back by what was read":
    async (harness) => {
      const { bus } = await harness.connect();
      const at = 3_600_000;
      const message = (n: number) => ({
        tenant: n % 2 === 0 ? "t/1" : "default",
        session: n > 3 ? "s%4" : `s%${n}`,
        id: `m${n}`,
        idempotencyKey: `k${n}`,
        interrupt: n === 3,
        delayMs: at + n * 1_000,
        payload: { n },
      });
      await settle(harness, bus.publishInbound([3, 1, 9, 5, 2, 4, 7].map(message)));
      await settle(harness, bus.publishInbound(texts("now", "1")));
      const found: ScheduledMessage[] = [];
      let cursor: string | undefined;
      for (let page = 0; page === 0 || cursor !== undefined; page++) {
        assert.ok(page < 20, "the pages do not end");
        const { messages, cursor: next } = await settle(
          harness,
          bus.scheduled({ limit: 2, ...(cursor === undefined ? {} : { after: cursor }) }),
        );
        assert.ok(messages.length <= 2);
        found.push(...messages);
        cursor = next;
      }
      assert.deepEqual(
        found.filter(({ session, tenant }) => session === "s%4" && tenant === "default").map((one) => one.id),
        ["m5", "m7", "m9"],
      );
      // Partitions are read one after another.
      found.sort((a, b) => a.at - b.at);
      assert.deepEqual(
        found.map(({ payload }) => payload),
        [1, 2, 3, 4, 5, 7, 9].map((n) => ({ n })),
      );
      const [first, second, third] = found;
      assert.deepEqual(
        [third!.id, third!.tenant, third!.session, third!.idempotencyKey, third!.interrupt],
        ["m3", "default", "s%3", "k3", true],
      );
      assert.equal(second!.at - first!.at, 1_000);
      const { tenant, session, id } = second!;
      assert.equal(await settle(harness, bus.unschedule({ tenant, session, id })), true);
      assert.deepEqual((await settle(harness, bus.scheduled())).messages.map((one) => one.id).sort(), [
        "m1",
        "m3",
        "m4",
        "m5",
        "m7",
        "m9",
      ]);
      await rejectsWith("INVALID_OPTIONS", bus.scheduled({ limit: 0 }));
      await rejectsWith("INVALID_OPTIONS", bus.scheduled({ after: "nowhere" }));
    },
  "retries can be ended early; what is held or scheduled stays": async (harness) => {
    const { bus } = await harness.connect();
    const inbox = consume(harness, { bus, events: [], freeze() {}, thaw() {} });
    await settle(
      harness,
      bus.publishInbound([...texts("failed", "1", "2"), ...texts("released", "3"), ...texts("held", "4")]),
    );
    await settle(harness, bus.publishInbound({ session: "later", id: "later", delayMs: 60_000, payload: "5" }));
    const taken = [await inbox.next(), await inbox.next(), await inbox.next()];
    const [failed, released, held] = ["failed", "released", "held"].map((session) =>
      taken.find((delivery) => delivery.session === session)!,
    ) as [Delivery, Delivery, Delivery];
    await settle(harness, failed.nack({ delayMs: 3_600_000 }));
    await settle(harness, released.release({ delayMs: 3_600_000 }));
    await inbox.expectNothing();
    assert.equal(await settle(harness, bus.retryNow()), 2);
    const again = [await inbox.next(), await inbox.next()];
    assert.deepEqual(
      new Set(again.map((delivery) => JSON.stringify([payloads(delivery), delivery.attempt]))),
      new Set(['[["1"],2]', '[["3"],1]']),
    );
    await inbox.expectNothing();
    await settle(harness, held.ack());
    assert.equal(await settle(harness, bus.retryNow()), 0);
    assert.equal((await settle(harness, bus.stats())).inbound.scheduled, 1);
  },
  "replies in a retry delay are released too, and stats name the gateways that they wait for": async (harness) => {
    const one = await harness.connect();
    await settle(
      harness,
      one.bus.publishOutbound([
        { session: "a", gatewayId: "main", payload: "1" },
        { session: "b", gatewayId: "other/1", payload: "2" },
      ]),
    );
    const outbox = consumeFor(harness, one, "main");
    await settle(harness, (await outbox.next()).nack({ delayMs: 3_600_000 }));
    await outbox.expectNothing();
    assert.deepEqual((await settle(harness, one.bus.stats())).gateways, ["main", "other/1"]);
    assert.equal(await settle(harness, one.bus.retryNow()), 1);
    await settle(harness, (await outbox.next()).ack());
    assert.deepEqual((await settle(harness, one.bus.stats())).gateways, ["other/1"]);
  },
} satisfies Record<string, BusClause>;
