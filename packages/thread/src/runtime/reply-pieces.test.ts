import assert from "node:assert/strict";
import { localBus, type Bus } from "@hebra/bus";
import { scriptedReactor, type Reactor } from "@hebra/reactor";
import fc from "fast-check";
import { afterEach, describe, test } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { httpChannel } from "./channels/http.ts";
import { cutByBytes } from "./reply-pieces.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { memoryChannel } from "./runtime.fixture.ts";

const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});

test("pieces of a text are never too large, never split a character, and are the text when joined [SE-2]", () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom("猫", "😀", '"', "\\", "\n", " ", "\u0001"), fc.string({ maxLength: 1 })),
    maxLength: 400,
  });
  fc.assert(
    fc.property(text, fc.integer({ min: 16, max: 200 }), (whole, max) => {
      const pieces = cutByBytes(whole, max);
      assert.equal(pieces.join(""), whole);
      for (const piece of pieces) {
        assert.ok(Buffer.byteLength(JSON.stringify(piece)) - 2 <= max, piece);
        assert.ok(piece.isWellFormed() || !whole.isWellFormed());
        assert.ok(piece !== "" || whole === "");
      }
    }),
    { seed: 20_261_130, numRuns: 500 },
  );
  const startedAt = performance.now();
  assert.ok(cutByBytes("猫".repeat(2_000_000), 65_536).length > 90);
  assert.ok(performance.now() - startedAt < 5_000);
});

describe("an answer that is larger than a message of the bus", () => {
  const answers = [
    "a".repeat(300_000),
    "猫".repeat(90_000),
    "word ".repeat(80_000),
    '"\\\u0001'.repeat(40_000),
    "short",
  ];

  /** Says the answer whose number it is given. */
  const answering = (): Reactor => ({
    contract: "reactor-v1",
    name: "long",
    async *react({ transcript }) {
      const part = transcript.at(-1)?.parts.at(-1);
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: answers[Number(part?.kind === "text" ? part.text : 0)]! };
      yield { type: "part-end", partId: "p" };
      yield { type: "usage", usage: {} };
      yield { type: "finish", reason: "stop" };
    },
  });

  test.each([
    ["on the local bus", () => localBus() as Bus],
    ["on a bus that takes small messages only", () => localBus({ maxMessageBytes: 4_096 }) as Bus],
  ])("arrives whole %s, and what follows is answered [SE-2]", async (_where, bus) => {
    const runtime = createRuntime({
      threads: [defineThread({ name: "long", reactor: answering() })],
      store: memoryStore(),
      bus: bus(),
      maxReplyBytes: 2_048,
    });
    open.push(runtime);
    const memory = memoryChannel();
    await runtime.gateway({ channels: [memory] });
    for (const [index] of answers.entries()) await memory.publish({ id: `${index}`, chat: "7", text: `${index}` });
    const textOf = (id: string) =>
      memory.replies
        .filter(({ inReplyTo }) => inReplyTo === id)
        .map(({ text }) => text)
        .join("");
    while (textOf(`${answers.length - 1}`) !== "short") await memory.received(memory.replies.length + 1);
    for (const [index, answer] of answers.entries()) assert.equal(textOf(`${index}`), answer);
    assert.equal(new Set(memory.replies.map(({ id }) => id)).size, memory.replies.length);
    assert.equal((await runtime.bus.stats()).dead, 0);
  });

  test("is one answer to whoever waits over HTTP, and pieces in the event stream [SE-2]", async () => {
    const reactor = scriptedReactor({ steps: [{ text: answers[1]! }] });
    const runtime = createRuntime({ threads: [defineThread({ name: "long", reactor })], store: memoryStore() });
    open.push(runtime);
    const web = httpChannel({ authorize: () => ({ chat: "ana" }) });
    await runtime.gateway({ channels: [web] });
    const stream = (await web.handler(new Request("http://host/chats/ana/events"))).body!.getReader();
    const response = await web.handler(
      new Request("http://host/messages?wait=60000", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "1", text: "go" }),
      }),
    );
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { reply: { text: string } }).reply.text, answers[1]);
    let seen = "";
    const decoder = new TextDecoder();
    const replies = () =>
      seen
        .split("\n\n")
        .slice(0, -1)
        .flatMap((event) => /^event: reply\ndata: (.*)$/.exec(event)?.[1] ?? [])
        .map((data) => JSON.parse(data) as { text: string; piece: { index: number; count: number } });
    const isLast = () => {
      const piece = replies().at(-1)?.piece;
      return piece !== undefined && piece.index + 1 === piece.count;
    };
    while (!isLast()) seen += decoder.decode((await stream.read()).value, { stream: true });
    assert.equal(
      replies()
        .map(({ text }) => text)
        .join(""),
      answers[1],
    );
    await stream.cancel();
  });
});
