import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { consume, payloads, settle, texts, type BusClause, type BusContractHarness, type Inbox } from "./harness.ts";

async function failTimes(harness: BusContractHarness, inbox: Inbox, times: number): Promise<void> {
  for (let i = 0; i < times; i++)
    await settle(harness, (await inbox.next()).nack({ error: new Error("no luck"), delayMs: 0 }));
}

/** Attempts, back-off, dead letters. */
export const retryClauses = {
  "the wait doubles, with full jitter, up to a cap": async (harness) => {
    const one = await harness.connect({ retry: { baseMs: 400, capMs: 1_000, maxAttempts: 10 } });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    for (const wait of [200, 400, 500, 500]) {
      await settle(harness, (await inbox.next()).nack({ error: new Error("again") }));
      await harness.elapse(wait - 20);
      await inbox.expectNothing();
      await harness.elapse(40);
    }
    assert.equal((await inbox.next()).attempt, 5);
    assert.deepEqual(
      one.events.flatMap((event) => (event.type === "delivery-retried" ? [event.delayMs] : [])),
      [200, 400, 500, 500],
    );
  },
  "`Retry-After` is honoured": async (harness) => {
    const one = await harness.connect({ retry: { baseMs: 10, capMs: 10 } });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    const limited = new HebraError("REACTOR_FAILED", "slow down", { details: { retryAfterMs: 2_000 } });
    await settle(harness, (await inbox.next()).nack({ error: limited }));
    await harness.elapse(1_900);
    await inbox.expectNothing();
    await harness.elapse(200);
    assert.equal((await inbox.next()).attempt, 2);
  },
  "exhausted attempts end in the dead letters, and the conversation goes on": async (harness) => {
    const one = await harness.connect({ retry: { maxAttempts: 3 } });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound([{ session: "a", id: "m1", payload: "1" }, ...texts("a", "2")]));
    await failTimes(harness, inbox, 3);
    assert.deepEqual(payloads(await inbox.next()), ["2"]);
    const { letters } = await settle(harness, one.bus.deadLetters.list());
    assert.equal(letters.length, 1);
    const [letter] = letters;
    assert.deepEqual(
      {
        direction: letter!.direction,
        tenant: letter!.tenant,
        session: letter!.session,
        messageId: letter!.messageId,
        attempts: letter!.attempts,
        cause: letter!.cause,
        parked: letter!.parked,
      },
      {
        direction: "inbound",
        tenant: "default",
        session: "a",
        messageId: "m1",
        attempts: 3,
        cause: "exhausted",
        parked: false,
      },
    );
    assert.match(letter!.signature.message, /no luck/);
    assert.match(letter!.signature.fingerprint, /^[0-9a-f]{64}$/);
    assert.ok(letter!.firstSeenAt! <= letter!.at);
    assert.ok(one.events.some((event) => event.type === "message-dead-lettered" && event.cause === "exhausted"));
  },
  "a permanent error is not tried again": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    await settle(
      harness,
      (await inbox.next()).nack({
        error: new HebraError("ACTION_INPUT_INVALID", "token=sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ"),
      }),
    );
    assert.deepEqual(payloads(await inbox.next()), ["2"]);
    const [letter] = (await settle(harness, one.bus.deadLetters.list())).letters;
    assert.deepEqual(
      [letter!.cause, letter!.attempts, letter!.signature.code],
      ["permanent", 1, "ACTION_INPUT_INVALID"],
    );
    assert.ok(!JSON.stringify(letter!.signature).includes("sk-abc"), "no secret in a dead letter's signature");
  },
  "a permanent error of a batch isolates its messages first": async (harness) => {
    const one = await harness.connect();
    const inbox = consume(harness, one, { maxBatch: 2 });
    await settle(harness, one.bus.publishInbound(texts("a", "1", "2")));
    await settle(harness, (await inbox.next()).nack({ permanent: true }));
    const alone = await inbox.next();
    assert.deepEqual(payloads(alone), ["1"]);
    await settle(harness, alone.ack());
    await settle(harness, (await inbox.next()).nack({ permanent: true, reason: "cannot be" }));
    const [letter] = (await settle(harness, one.bus.deadLetters.list())).letters;
    assert.deepEqual([letter!.cause, letter!.attempts], ["permanent", 2]);
    assert.match(letter!.signature.message, /cannot be/);
  },
  "a message that is too old is not tried again": async (harness) => {
    const one = await harness.connect({ retry: { maxAgeMs: 1_000, maxAttempts: 50 }, dedupWindowMs: 1_000 });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound(texts("a", "1")));
    await settle(harness, (await inbox.next()).nack({ delayMs: 800 }));
    await harness.elapse(900);
    const last = await inbox.next();
    await harness.elapse(300);
    await settle(harness, last.nack({ delayMs: 0 }));
    await inbox.expectNothing();
    assert.equal((await settle(harness, one.bus.deadLetters.list())).letters[0]?.cause, "too-old");
  },
  "a message whose leases all ran out ends in the dead letters": async (harness) => {
    const options = { retry: { maxAttempts: 2 } };
    const one = await harness.connect(options);
    const two = await harness.connect(options);
    await settle(harness, one.bus.publishInbound(texts("a", "kills", "fine")));
    await consume(harness, one).next();
    one.freeze();
    const survivors = consume(harness, two);
    await harness.elapse(harness.leaseMs + 50);
    assert.equal((await survivors.next()).attempt, 2);
    two.freeze();
    const three = await harness.connect(options);
    const last = consume(harness, three);
    await harness.elapse(harness.leaseMs + 50);
    assert.deepEqual(payloads(await last.next()), ["fine"]);
    const [letter] = (await settle(harness, three.bus.deadLetters.list())).letters;
    assert.deepEqual([letter!.cause, letter!.attempts], ["exhausted", 2]);
  },
  "parking stops the conversation; replaying or discarding lets it go on": async (harness) => {
    const one = await harness.connect({ retry: { maxAttempts: 1, onExhausted: "park" } });
    const inbox = consume(harness, one);
    await settle(harness, one.bus.publishInbound([...texts("a", "1", "2"), ...texts("b", "x", "y")]));
    for (let i = 0; i < 2; i++) await settle(harness, (await inbox.next()).nack({ error: new Error("no") }));
    await harness.elapse(3_600_000);
    await inbox.expectNothing();
    assert.equal((await settle(harness, one.bus.stats())).inbound.parked, 2);
    const letters = [...(await settle(harness, one.bus.deadLetters.list())).letters].sort((x, y) =>
      x.session < y.session ? -1 : 1,
    );
    assert.deepEqual(
      letters.map((letter) => [letter.session, letter.parked]),
      [
        ["a", true],
        ["b", true],
      ],
    );
    assert.equal(await settle(harness, one.bus.deadLetters.replay(letters[0]!.id)), true);
    const again = await inbox.next();
    assert.deepEqual([payloads(again), again.attempt], [["1"], 1]);
    await settle(harness, again.ack());
    assert.deepEqual(payloads(await inbox.next()), ["2"]);
    assert.equal(await settle(harness, one.bus.deadLetters.discard(letters[1]!.id)), true);
    assert.deepEqual(payloads(await inbox.next()), ["y"]);
  },
  "poison goes straight to the dead letters, a newer envelope does not": async (harness) => {
    const one = await harness.connect();
    const address = { tenant: "default", session: "a" };
    await harness.inject(address, "{not json");
    await harness.inject(
      address,
      '{"v":1,"enqueuedAt":1,"id":"m","tenant":"default","session":"a","payload":1,"extra":true}',
    );
    await settle(harness, one.bus.publishInbound(texts("a", "fine")));
    const inbox = consume(harness, one, { maxBatch: 5 });
    const fine = await inbox.next();
    assert.deepEqual(payloads(fine), ["fine"]);
    await settle(harness, fine.ack());
    const { letters } = await settle(harness, one.bus.deadLetters.list());
    assert.deepEqual(
      letters.map((letter) => [letter.cause, letter.attempts, letter.signature.code]),
      [
        ["poison", 0, "ENVELOPE_INVALID"],
        ["poison", 0, "ENVELOPE_INVALID"],
      ],
    );
    assert.equal(one.bus.health().ready, true);
    await harness.inject(address, '{"v":999,"enqueuedAt":1,"id":"m","tenant":"default","session":"a","payload":1}');
    await settle(harness, one.bus.publishInbound(texts("b", "other")));
    await harness.elapse(0);
    assert.equal((await settle(harness, one.bus.stats())).inbound.depth, 2);
    // Whoever met it leaves everything to others for a second.
    await harness.elapse(1_000);
    assert.deepEqual(payloads(await inbox.next()), ["other"]);
    assert.deepEqual([one.bus.health().ready, one.bus.health().state], [false, "upgrade-required"]);
    await harness.elapse(5_000);
    await inbox.expectNothing();
    assert.equal((await settle(harness, one.bus.deadLetters.list())).letters.length, 2);
    assert.equal((await settle(harness, one.bus.stats())).inbound.depth, 2);
  },
  "a tenant's dead letters push out its own oldest, and none of another tenant [SE-6]": async (harness) => {
    const one = await harness.connect({ maxDeadLetters: 100, maxDeadLettersPerTenant: 3, retry: { maxAttempts: 1 } });
    const inbox = consume(harness, one);
    const fail = async (tenant: string, id: string) => {
      await settle(harness, one.bus.publishInbound({ tenant, session: id, id, payload: id }));
      await settle(harness, (await inbox.next()).nack());
    };
    await fail("quiet", "genuine");
    for (let i = 0; i < 6; i++) await fail("loud", `noise${i}`);
    const ids = async () =>
      (await settle(harness, one.bus.deadLetters.list())).letters.map(({ messageId }) => messageId!).sort();
    assert.deepEqual(await ids(), ["genuine", "noise3", "noise4", "noise5"]);
    const [newest] = (await settle(harness, one.bus.deadLetters.list())).letters;
    await settle(harness, one.bus.deadLetters.discard(newest!.id));
    await fail("loud", "noise6");
    assert.deepEqual(await ids(), ["genuine", "noise3", "noise4", "noise6"]);
  },
  "a dead letter is listed, read, replayed with its key, discarded": async (harness) => {
    const one = await harness.connect({ retry: { maxAttempts: 1 } });
    const inbox = consume(harness, one);
    for (const id of ["m1", "m2", "m3"]) {
      await settle(harness, one.bus.publishInbound({ session: id, id, idempotencyKey: `key-${id}`, payload: id }));
      await settle(harness, (await inbox.next()).nack());
    }
    const page = await settle(harness, one.bus.deadLetters.list({ limit: 2 }));
    assert.deepEqual(
      page.letters.map((letter) => letter.messageId),
      ["m3", "m2"],
    );
    const rest = await settle(harness, one.bus.deadLetters.list({ limit: 2, before: page.cursor! }));
    assert.deepEqual([rest.letters.map((letter) => letter.messageId), rest.cursor], [["m1"], undefined]);
    const { id } = rest.letters[0]!;
    assert.deepEqual(await settle(harness, one.bus.deadLetters.get(id)), rest.letters[0]);
    assert.equal(await settle(harness, one.bus.deadLetters.replay(id)), true);
    const [replayed] = (await inbox.next()).messages;
    assert.deepEqual([replayed!.id, replayed!.idempotencyKey, replayed!.attempt], ["m1", "key-m1", 1]);
    assert.equal(await settle(harness, one.bus.deadLetters.replay(id)), false);
    assert.equal(await settle(harness, one.bus.deadLetters.discard(page.letters[0]!.id)), true);
    assert.equal((await settle(harness, one.bus.stats())).dead, 1);
    assert.equal(await settle(harness, one.bus.deadLetters.get("0-0-none")), undefined);
  },
} satisfies Record<string, BusClause>;
