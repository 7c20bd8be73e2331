import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { replyTo, settle, type Clause } from "./bench.ts";

const hello = { id: "1", chat: "7", text: "hello" };

/** What a channel takes in. */
export const intakeClauses = {
  "what it is told is acknowledged only once it was handed over": async ({ create, start }) => {
    const other = await create({});
    let handOver = () => {};
    const { reached } = await start(other, () => new Promise<void>((resolve) => (handOver = resolve)));
    let acknowledged = false;
    const said = other.say(hello).then(() => (acknowledged = true));
    await reached(1);
    await settle();
    assert.equal(acknowledged, false, "it was acknowledged while it was being handed over");
    handOver();
    await said;
  },
  "what could not be handed over comes again, under the same id": async ({ create, start }) => {
    const other = await create({});
    const { published } = await start(other, (_message, count) => {
      if (count <= 2) throw new HebraError("UNREACHABLE", "The bus is away.", { details: { retryAfterMs: 1 } });
    });
    const said = other.say(hello);
    await said;
    assert.ok(published.length >= 3, `it was handed over ${published.length} times`);
    assert.deepEqual(
      new Set(published.map(({ id, chat, text }) => JSON.stringify([chat, id, text]))).size,
      1,
      "it came again as another message",
    );
  },
  "what the bus will never take does not stop what follows": async ({ create, start }) => {
    const other = await create({});
    const { published, reached } = await start(other, ({ text }) => {
      if (text === "hello") throw new HebraError("ENVELOPE_TOO_LARGE", "The message is too large.");
    });
    await other.say(hello);
    await other.say({ ...hello, id: "2", text: "again" });
    await reached(2);
    assert.deepEqual(
      published.map(({ text }) => text),
      ["hello", "again"],
    );
  },
  "a second delivery is the same message: one turn and one reply": async ({ create, serve }) => {
    const other = await create({});
    const { store } = await serve(other);
    await other.say(hello);
    await other.heard(1);
    await other.say(hello);
    await other.say({ ...hello, id: "2", text: "again" });
    assert.deepEqual(
      (await other.heard(2)).map(({ text }) => text),
      ["echo: hello", "echo: again"],
    );
    const { context } = (await store.load("default", { key: `${other.channel.name}:7` }))!;
    assert.equal(
      (await store.history("default", context.id, { items: 10 })).length,
      4,
      "two turns are a trigger and a reaction each",
    );
  },
  "a message may say where it belongs, and is answered where it came from": async ({ create, serve }) => {
    const other = await create({ locate: () => ({ tenant: "acme", session: "desk-7" }) });
    const { store } = await serve(other);
    await other.say(hello);
    assert.deepEqual(
      (await other.heard(1)).map(({ chat, text }) => [chat, text]),
      [["7", "echo: hello"]],
    );
    assert.ok(
      (await store.load("acme", { key: "desk-7" })) !== undefined,
      "there is no thread where the message belongs",
    );
  },
  "media come by reference, never by value": async ({ create, start }) => {
    const other = await create({});
    const { published, reached } = await start(other, () => {});
    await other.say({ ...hello, media: "media-4711" });
    await reached(1);
    const kept = JSON.stringify({ metadata: published[0]!.metadata, parts: published[0]!.parts });
    assert.ok(kept.includes("media-4711"), `the reference is not in ${kept}`);
    assert.ok(!kept.includes("base64"), "bytes are in the message");
    assert.equal(published[0]!.text, "hello");
  },
  "after `stop` it takes no more, and still sends": async ({ create, start }) => {
    const other = await create({});
    const { published, reached } = await start(other, () => {});
    await other.say(hello);
    await reached(1);
    await other.channel.stop();
    other.say({ ...hello, id: "2", text: "late" }).catch(() => undefined);
    await other.channel.send(replyTo("7", "the last word"));
    assert.equal((await other.heard(1)).at(-1)?.text, "the last word");
    await settle();
    assert.equal(published.length, 1, "it took one more");
  },
} satisfies Record<string, Clause>;
