import assert from "node:assert/strict";
import { consume, payloads, rejectsWith, settle, texts, type BusClause } from "./harness.ts";

/** What is accepted, and what is not. */
export const publishClauses = {
  "an idempotency key is accepted once within the window, per conversation": async (harness) => {
    const one = await harness.connect({ dedupWindowMs: 10_000, retry: { maxAgeMs: 10_000 } });
    const two = await harness.connect({ dedupWindowMs: 10_000, retry: { maxAgeMs: 10_000 } });
    const publish = async (bus: typeof one.bus, session: string, idempotencyKey: string) =>
      (await settle(harness, bus.publishInbound({ session, idempotencyKey, payload: null })))[0]!.status;
    assert.equal(await publish(one.bus, "a", "k"), "accepted");
    assert.equal(await publish(two.bus, "a", "k"), "duplicate");
    assert.equal(await publish(two.bus, "b", "k"), "accepted");
    await harness.elapse(9_000);
    assert.equal(await publish(two.bus, "a", "k"), "duplicate");
    await harness.elapse(20_000);
    assert.equal(await publish(two.bus, "a", "k"), "accepted");
    assert.ok(one.events.some((event) => event.type === "message-accepted"));
    assert.ok(two.events.some((event) => event.type === "message-suppressed" && event.session === "a"));
  },
  "a duplicate inside one call is dropped too": async (harness) => {
    const { bus } = await harness.connect();
    const message = { session: "a", id: "same", payload: 1 };
    const receipts = await settle(harness, bus.publishInbound([message, message, { ...message, id: "other" }]));
    assert.deepEqual(
      receipts.map((receipt) => [receipt.id, receipt.status]),
      [
        ["same", "accepted"],
        ["same", "duplicate"],
        ["other", "accepted"],
      ],
    );
  },
  "what is not plain JSON is refused, and nothing of the call is published": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    for (const payload of [() => 1, { when: new Date(0) }, NaN, 10n, [undefined], "\ud800"]) {
      await rejectsWith(
        "NOT_SERIALIZABLE",
        one.bus.publishInbound([...texts("a", "fine"), { session: "a", payload: payload as never }]),
      );
    }
    await rejectsWith("INVALID_ID", one.bus.publishInbound({ session: "", payload: 1 }));
    await rejectsWith("INVALID_ID", one.bus.publishInbound({ session: "a", tenant: "x\u0000", payload: 1 }));
    await inbox.expectNothing();
  },
  "an envelope that is too large is refused": async (harness) => {
    const one = await harness.connect({ maxMessageBytes: 1_000 });
    await rejectsWith("ENVELOPE_TOO_LARGE", one.bus.publishInbound(texts("a", "é".repeat(500))));
    assert.equal((await settle(harness, one.bus.publishInbound(texts("a", "é".repeat(300)))))[0]!.status, "accepted");
  },
  "a full backlog refuses": async (harness) => {
    const one = await harness.connect({ maxBacklog: 2 });
    const message = (id: string) => ({ session: "a", id, payload: id });
    const statuses = async (...ids: string[]) =>
      (await settle(harness, one.bus.publishInbound(ids.map(message)))).map((receipt) => receipt.status);
    assert.deepEqual(await statuses("1", "2", "3"), ["accepted", "accepted", "full"]);
    assert.ok(one.events.some((event) => event.type === "message-refused"));
    const inbox = consume(harness, one, { concurrency: 1 });
    await settle(harness, (await inbox.next()).ack());
    assert.deepEqual(await statuses("3"), ["accepted"], "what was refused is no duplicate later");
    assert.equal((await settle(harness, one.bus.publishInbound({ session: "b", payload: 1 })))[0]!.status, "accepted");
  },
  "a full backlog drops the oldest that nobody holds, into the dead letters": async (harness) => {
    const one = await harness.connect({ maxBacklog: 2, overflow: "drop-oldest" });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const held = await inbox.next();
    await settle(harness, one.bus.publishInbound(texts("a", "2", "3", "4")));
    await settle(harness, held.ack());
    const next = await inbox.next();
    assert.deepEqual(payloads(next), ["4"]);
    const { letters } = await settle(harness, one.bus.deadLetters.list());
    assert.deepEqual(
      letters.map((letter) => [letter.cause, (JSON.parse(letter.envelope) as { payload: unknown }).payload]),
      [
        ["overflow", "3"],
        ["overflow", "2"],
      ],
    );
    assert.equal(letters[0]!.signature.code, "BACKLOG_FULL");
  },
  "a full backlog holds the publisher back until there is room, and keeps the order [BU-10]": async (harness) => {
    const one = await harness.connect({ maxBacklog: 2, overflow: "block", overflowWaitMs: 2_000 });
    const inbox = consume(harness, one, { concurrency: 1 });
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    const statuses: string[] = [];
    const later = ["3", "4"].map(async (text) => {
      const [receipt] = await one.bus.publishInbound(texts("a", text));
      statuses.push(`${text} ${receipt!.status}`);
    });
    assert.equal((await settle(harness, one.bus.publishInbound(texts("b", "free"))))[0]!.status, "accepted");
    await harness.elapse(500);
    assert.deepEqual(statuses, [], "both wait, and no other conversation does");
    const first = await inbox.next();
    await settle(harness, first.ack());
    await harness.elapse(300);
    assert.deepEqual(statuses, ["3 accepted"]);
    await harness.elapse(2_000);
    await settle(harness, Promise.all(later));
    assert.deepEqual(statuses, ["3 accepted", "4 full"], "the wait is bounded");
    assert.ok(one.events.some((event) => event.type === "publish-blocked" && event.waitedMs >= 300));
    assert.equal((await settle(harness, one.bus.publishInbound(texts("c", "free"))))[0]!.status, "accepted");
  },
  "a full backlog sheds the new message, and its receipt and an event say so [BU-10]": async (harness) => {
    const one = await harness.connect({ maxBacklog: 2, overflow: "shed" });
    const receipts = await settle(
      harness,
      one.bus.publishInbound(["1", "2", "3"].map((id) => ({ session: "a", id, payload: id }))),
    );
    assert.deepEqual(
      receipts.map(({ status }) => status),
      ["accepted", "accepted", "shed"],
    );
    assert.equal(receipts[2]!.durable, false);
    assert.ok(one.events.some((event) => event.type === "message-shed" && event.id === "3"));
    const stats = await settle(harness, one.bus.stats());
    assert.deepEqual([stats.inbound.depth, stats.dead], [2, 0]);
  },
  "a delayed message joins the tail when its time has come": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound({ session: "a", payload: "later", delayMs: 500 }));
    await inbox.expectNothing();
    await settle(harness, one.bus.publishInbound(texts("a", "now")));
    await settle(harness, (await inbox.next()).ack());
    await harness.elapse(400);
    await inbox.expectNothing();
    await harness.elapse(200);
    assert.deepEqual(payloads(await inbox.next()), ["later"]);
  },
  "a scheduled message can be taken back until then": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    const at = Date.now() + 10 ** 12;
    const schedule = (id: string) => settle(harness, one.bus.schedule({ session: "a", id, payload: id }, { at }));
    assert.equal((await schedule("x")).status, "accepted");
    assert.equal((await schedule("x")).status, "duplicate");
    assert.equal((await settle(harness, one.bus.stats())).inbound.scheduled, 1);
    assert.equal(await settle(harness, one.bus.unschedule({ session: "a", id: "x" })), true);
    assert.equal(await settle(harness, one.bus.unschedule({ session: "a", id: "x" })), false);
    assert.equal((await schedule("x")).status, "accepted", "what was taken back is no duplicate");
    await settle(harness, one.bus.schedule({ session: "b", payload: "past" }, { at: 0 }));
    assert.deepEqual(payloads(await inbox.next()), ["past"]);
  },
} satisfies Record<string, BusClause>;
