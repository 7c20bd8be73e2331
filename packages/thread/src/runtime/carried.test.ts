import { createManualClock, silentLogger } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { carriedMessages, type CarriedMessage } from "./carried.ts";
import { asJson } from "./payloads.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { echoThread, memoryChannel } from "./runtime.fixture.ts";

const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});

const clock = createManualClock();
const replyTo = (inReplyTo: string) => ({ gatewayId: "main", channel: "memory", chat: "a", inReplyTo, deltas: false });
const message = (id: string, at?: number): CarriedMessage => ({
  direction: "inbound",
  tenant: "default",
  session: "memory:a",
  id: `memory:${id}`,
  at,
  payload: asJson({ kind: "message", message: { id, chat: "a", text: id }, replyTo: replyTo(id) }),
});
const reply = (id: string): CarriedMessage => ({
  direction: "outbound",
  tenant: "default",
  session: "memory:a",
  id,
  gatewayId: "main",
  seq: 0,
  payload: asJson({ kind: "reply", replyTo: replyTo(id), text: `reply ${id}`, index: 0 }),
});

describe("messages that a move has brought along", () => {
  it("are kept in order, once each, and can be taken back", async () => {
    const store = memoryStore();
    const carried = carriedMessages(store, clock, silentLogger);
    await carried.add([reply("1"), reply("2")]);
    await carried.add([reply("2"), reply("3")]);
    await carried.add([message("x", 5)]);
    expect((await carried.list()).filter(({ direction }) => direction === "outbound").map(({ id }) => id)).toEqual([
      "1",
      "2",
      "3",
    ]);
    await carried.remove(reply("2"));
    expect((await carriedMessages(store, clock, silentLogger).list()).map(({ id }) => id).sort()).toEqual([
      "1",
      "3",
      "memory:x",
    ]);
  });

  it("are given to the bus at every start, at their time, until they are done with", async () => {
    const store = memoryStore();
    const carried = carriedMessages(store, clock, silentLogger);
    await carried.add([reply("1"), reply("2")]);
    await carried.add([
      message("now"),
      message("later", clock.now() + 60_000),
      message("never yet", clock.now() + 3_600_000),
    ]);

    const start = async () => {
      const bus = localBus({ clock }) as Bus;
      const runtime = createRuntime({ threads: [echoThread()], store, bus, clock });
      open.push(runtime);
      const channel = memoryChannel();
      await runtime.gateway({ channels: [channel] });
      return { runtime, channel };
    };
    const first = await start();
    const seen = () => first.channel.replies.map(({ text }) => text);
    for (let ms = 0; seen().length < 3; ms++) await clock.advance(1);
    expect(seen()).toEqual(["reply 1", "reply 2", "echo: now"]);
    await clock.advance(60_000);
    while (seen().length < 4) await clock.advance(1);
    expect(seen().at(-1)).toBe("echo: later");
    await first.runtime.close();

    const second = await start();
    await clock.advance(1_000);
    expect(second.channel.replies).toEqual([]);
    expect((await second.runtime.bus.scheduled()).messages.map(({ id }) => id)).toEqual(["memory:never yet"]);
    expect((await carried.list()).map(({ id }) => id)).toEqual(["memory:never yet"]);
  });
});
