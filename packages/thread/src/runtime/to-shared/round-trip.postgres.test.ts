import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, test } from "vitest";
import type { RuntimeConfig } from "../config.ts";
import { memoryChannel } from "../runtime.fixture.ts";
import { database, TIME } from "../to-local/move-to-local.fixture.ts";
import { createSenders, sharedBench } from "./move-to-shared.fixture.ts";

const chats = Array.from({ length: 4 }, (_, n) => `c${n}`);

describe.skipIf(withoutRedisServer !== undefined || database === undefined)("a deployment under load", () => {
  const { directory, deployment, toShared, start, move } = sharedBench();

  test(
    "moves from local to Redis and PostgreSQL and back: history whole, order kept, nothing lost or doubled [BU-12]",
    async () => {
      const { local, shared } = deployment("postgres");
      const channels = [memoryChannel(), memoryChannel(), memoryChannel()] as const;
      const senders = createSenders(chats, 150);
      const first = await start(local, channels[0]);
      senders.to(channels[0]);
      await channels[0].received(12);

      const out = await toShared(shared);
      await first.runtime.close();
      const second = await start(shared, channels[1]);
      senders.to(channels[1]);
      await channels[1].received(12);

      const back = await move(shared);
      await second.runtime.close();
      const third = await start(
        JSON.parse(readFileSync(join(directory(), "local.json"), "utf8")) as RuntimeConfig,
        channels[2],
      );
      senders.to(channels[2]);
      await channels[2].received(12);
      const { sent, refused } = await senders.stop();
      const total = [...sent.values()].reduce((sum, count) => sum + count, 0);
      const replies = () => channels.flatMap((channel) => channel.replies);
      while (replies().length < total) await new Promise((resolve) => setTimeout(resolve, 20));

      const times = (steps: { step: string; ms: number }[]) => steps.map(({ step, ms }) => `${step} ${ms}`).join(", ");
      process.stdout.write(
        `to-shared under load: ${out.ms} ms (${times(out.steps)}); to-local: ${back.ms} ms (${times(back.steps)}); ${total} messages, ${refused} times refused\n`,
      );
      for (const chat of chats) {
        const expected = Array.from({ length: sent.get(chat)! }, (_, n) => `echo: ${chat} ${n + 1}`);
        assert.deepEqual(
          replies()
            .filter((reply) => reply.chat === chat)
            .map(({ text }) => text),
          expected,
        );
        const history = await third.runtime.engine.history({ key: `memory:${chat}` }, { items: 10_000 });
        assert.deepEqual(
          history
            .filter(({ item }) => item.kind === "trigger")
            .map(({ item }) => item.content.map((part) => (part.kind === "text" ? part.text : "")).join("")),
          expected.map((text) => text.slice("echo: ".length)),
        );
      }
      assert.ok(refused > 0, "senders wrote while the intake was paused");
    },
    TIME,
  );
});
