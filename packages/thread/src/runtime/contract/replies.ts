import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { replyTo, type Clause } from "./bench.ts";

async function refused(sending: Promise<void>): Promise<HebraError> {
  const error: unknown = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(HebraError.isInstance(error), `expected a HebraError, got ${String(error)}`);
  return error;
}

/** What a channel sends. */
export const replyClauses = {
  "replies go to the chat that spoke, in the order of what was said": async ({ create, serve }) => {
    const other = await create({});
    await serve(other);
    for (const n of [1, 2, 3])
      for (const chat of ["7", "8"]) await other.say({ id: `${chat}${n}`, chat, text: `${chat} says ${n}` });
    const heard = await other.heard(6);
    for (const chat of ["7", "8"]) {
      assert.deepEqual(
        heard.filter((one) => one.chat === chat).map(({ text }) => text),
        [1, 2, 3].map((n) => `echo: ${chat} says ${n}`),
      );
    }
  },
  "a reply's id goes with it": async ({ create, start }) => {
    const other = await create({});
    await start(other, () => {});
    await other.channel.send(replyTo("7", "hello", { id: "reply-0815" }));
    assert.equal((await other.heard(1))[0]?.replyId, "reply-0815");
  },
  "an answer of `later` says when, and the reply is sent then": async ({ create, start }) => {
    const other = await create({});
    await start(other, () => {});
    other.refuseNext!({ retryAfterMs: 2_000 });
    const error = await refused(other.channel.send(replyTo("7", "hello")));
    assert.equal(error.retryable, true, "waiting would help");
    assert.ok(
      Number(error.details["retryAfterMs"]) >= 2_000,
      `it would come back after ${String(error.details["retryAfterMs"])} ms`,
    );
    await other.channel.send(replyTo("7", "hello"));
    assert.deepEqual(
      (await other.heard(1)).map(({ text }) => text),
      ["hello"],
    );
  },
  "a reply whose answer never came is of unknown outcome, and is sent again under the same id": async ({
    create,
    serve,
    start,
  }) => {
    const other = await create({});
    await start(other, () => {});
    other.refuseNext!({ noAnswer: true });
    const error = await refused(other.channel.send(replyTo("7", "hello", { id: "reply-1" })));
    assert.deepEqual(
      [error.retryable, error.details["outcome"]],
      [true, "unknown"],
      "it may have arrived, and is to be sent again",
    );
    await other.channel.send(replyTo("7", "hello", { id: "reply-1" }));
    for (const { text, replyId } of await other.heard(1))
      assert.deepEqual([text, replyId ?? "reply-1"], ["hello", "reply-1"]);

    const another = await create({});
    await serve(another);
    another.refuseNext!({ noAnswer: true });
    await another.say({ id: "1", chat: "7", text: "one" });
    await another.say({ id: "2", chat: "7", text: "two" });
    for (let count = 2; ; count++) {
      const heard = await another.heard(count);
      if (heard.at(-1)?.text !== "echo: two") continue;
      // At least once, and never out of order.
      assert.deepEqual([...new Set(heard.map(({ text }) => text))], ["echo: one", "echo: two"]);
      return;
    }
  },
  "a reply that will never be taken becomes a dead letter, and the next one goes out": async ({ create, serve }) => {
    const other = await create({});
    const { runtime } = await serve(other);
    other.refuseNext!({ forGood: true });
    await other.say({ id: "1", chat: "7", text: "one" });
    await other.say({ id: "2", chat: "7", text: "two" });
    assert.deepEqual(
      (await other.heard(1)).map(({ text }) => text),
      ["echo: two"],
    );
    const { letters } = await runtime.bus.deadLetters.list();
    assert.deepEqual(
      letters.map(({ direction, cause }) => [direction, cause]),
      [["outbound", "permanent"]],
    );
  },
  "a reply takes the place of what was shown while it grew, or was not shown at all": async ({ create, start }) => {
    const other = await create({});
    await start(other, () => {});
    const shared = { tenant: "default", session: "7", chat: "7", inReplyTo: "1", executionId: "e-1" };
    await other.channel.sendDelta?.({ ...shared, index: 0, text: "He" });
    await other.channel.sendDelta?.({ ...shared, index: 1, text: "Hello" });
    await other.channel.send(replyTo("7", "Hello there.", { executionId: "e-1" }));
    await other.channel.send(replyTo("7", "And this.", { executionId: "e-1", index: 1 }));
    assert.deepEqual(
      (await other.heard(2)).map(({ text }) => text),
      ["Hello there.", "And this."],
    );
  },
  "a text of any length arrives whole": async ({ create, start }) => {
    const other = await create({});
    await start(other, () => {});
    const text = `${"word ".repeat(3_000)}end`;
    await other.channel.send(replyTo("7", text));
    await other.channel.send(replyTo("7", "done", { id: "reply-done" }));
    for (let count = 2; ; count++) {
      const heard = await other.heard(count);
      if (heard.at(-1)?.text !== "done") continue;
      assert.equal(
        heard
          .slice(0, -1)
          .map((one) => one.text)
          .join(" ")
          .replaceAll(/\s+/g, " "),
        text,
      );
      return;
    }
  },
} satisfies Record<string, Clause>;
