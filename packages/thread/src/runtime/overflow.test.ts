import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { openRuntime, type RuntimeConfig } from "./config.ts";
import { echoThread, memoryChannel } from "./runtime.fixture.ts";
import { httpChannel } from "./channels/http.ts";

const publishAll = async (channel: ReturnType<typeof memoryChannel>, ids: readonly string[]) => {
  const statuses: string[] = [];
  for (const id of ids)
    statuses.push(
      await channel.publish({ id, chat: "a", text: `says ${id}` }).then(
        ({ status }) => status,
        (error: unknown) => (error as { code: string }).code,
      ),
    );
  return statuses;
};

describe.each(["store", "bus"] as const)("a flooded conversation, with the intake on the %s", (intake) => {
  const open = (bus: RuntimeConfig["bus"]) =>
    openRuntime(
      { bus: { maxBacklog: 2, ...bus }, store: { backend: "sqlite", path: ":memory:" }, intake },
      { threads: [echoThread()] },
    );
  /** What is stored before the mailbox is known to be full is accepted: one message for each time that it fills. */
  const extra = intake === "store" ? ["accepted"] : [];

  test.each([
    ["reject", {}, "BACKLOG_FULL"],
    ["block", { overflowWaitMs: 30 }, "BACKLOG_FULL"],
    ["shed", {}, "shed"],
  ] as const)(
    "gets the answer of the policy `%s`, and nothing of what was refused [BU-10]",
    async (overflow, more, answer) => {
      const runtime = await open({ overflow, ...more });
      const channel = memoryChannel();
      await runtime.gateway({ channels: [channel], embeddedWorker: false });
      const taken = 2 + extra.length;
      const ids = Array.from({ length: taken + 2 }, (_, n) => String(n + 1));
      assert.deepEqual(await publishAll(channel, ids), ["accepted", "accepted", ...extra, answer, answer]);
      runtime.worker();
      await channel.received(taken);
      while ((await runtime.bus.stats()).inbound.depth > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      // There is room again, and what was refused can be sent again under its id.
      assert.deepEqual(await publishAll(channel, ids.slice(-1)), ["accepted"]);
      await channel.received(taken + 1);
      assert.deepEqual(
        channel.replies.map(({ text }) => text),
        [...ids.slice(0, taken), ids.at(-1)!].map((id) => `echo: says ${id}`),
      );
      await runtime.close();
    },
  );

  test("is told over HTTP at once that a message was shed [BU-10]", async () => {
    const runtime = await open({ overflow: "shed" });
    const web = httpChannel({ name: "web", authorize: "everybody" });
    await runtime.gateway({ channels: [web], embeddedWorker: false });
    const post = async (id: string, query = "") => {
      const response = await web.handler(
        new Request(`http://localhost/messages${query}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id, chat: "ana", text: "hi" }),
        }),
      );
      return [response.status, ((await response.json()) as { status: string }).status];
    };
    for (const id of ["1", "2", ...extra.map(() => "3")]) assert.deepEqual(await post(id), [202, "accepted"]);
    assert.deepEqual(await post("late", "?wait=20000"), [202, "shed"], "it waits for no answer");
    await runtime.close();
  });
});
