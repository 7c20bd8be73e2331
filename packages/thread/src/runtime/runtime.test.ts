import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import { localBus, type Bus, type Delivery } from "@hebra/bus";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { scriptedReactor } from "@hebra/reactor";
import { memoryStore } from "../store/memory.ts";
import { sqliteStore } from "../store/sqlite.ts";
import { httpChannel } from "./channels/http.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { echoReactor, echoThread, gate, memoryChannel } from "./runtime.fixture.ts";

const open: Runtime[] = [];
function make(over: Partial<RuntimeOptions> = {}): Runtime {
  const runtime = createRuntime({ threads: [echoThread()], store: memoryStore(), ...over });
  open.push(runtime);
  return runtime;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});

const texts = (replies: readonly { text: string }[]) => replies.map(({ text }) => text);

describe("a runtime of one process", () => {
  it("answers over HTTP: 200 with the reply when asked to wait, 202 otherwise, a second delivery is known", async () => {
    const reactor = echoReactor();
    const runtime = make({ threads: [echoThread(reactor)] });
    const web = httpChannel({ name: "web", authorize: "everybody" });
    await runtime.gateway({ channels: [web] });
    const post = (id: string, wait = "") =>
      web.handler(
        new Request(`http://localhost/desk/messages${wait}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id, chat: "ana", text: `hello ${id}` }),
        }),
      );
    const answered = await post("1", "?wait=10000");
    expect(answered.status).toBe(200);
    expect(await answered.json()).toMatchObject({
      status: "accepted",
      session: "web:ana",
      reply: { text: "echo: hello 1", inReplyTo: "1", index: 0 },
    });
    const again = await post("1");
    expect([again.status, ((await again.json()) as { status: string }).status]).toEqual([202, "duplicate"]);
    expect((await post("2", "?wait=10000")).status).toBe(200);
    expect(reactor.asked).toEqual(["hello 1", "hello 2"]);
    const history = await runtime.engine.history({ key: "web:ana" });
    expect(history.map(({ item }) => item.kind)).toEqual(["trigger", "reaction", "trigger", "reaction"]);
  });

  it("keeps the order of each conversation and gives every reply to its own", async () => {
    const runtime = make({ threads: [echoThread(echoReactor(() => new Promise((resolve) => setImmediate(resolve))))] });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel], embeddedWorker: { concurrency: 8 } });
    for (let n = 0; n < 10; n++)
      for (let chat = 0; chat < 10; chat++)
        await channel.publish({ id: `${n}`, chat: `c${chat}`, text: `c${chat} says ${n}` });
    const replies = await channel.received(100);
    for (let chat = 0; chat < 10; chat++) {
      const own = replies.filter((reply) => reply.chat === `c${chat}`);
      expect(texts(own)).toEqual(Array.from({ length: 10 }, (_, n) => `echo: c${chat} says ${n}`));
    }
  });

  it("sends a stored reply again, without a second turn, when the ack was lost after the last commit", async () => {
    const inner = localBus() as Bus;
    let lostAcks = 0;
    const bus: Bus = {
      ...inner,
      deadLetters: inner.deadLetters,
      async *consumeInbound(options) {
        for await (const delivery of inner.consumeInbound(options)) {
          const ack = delivery.ack.bind(delivery);
          (delivery as { ack: Delivery["ack"] }).ack = async (settle) => {
            if (lostAcks++ > 0) return ack(settle);
            await delivery.nack({ delayMs: 0 });
            throw new HebraError("LEASE_LOST", "The lease ended before the ack.");
          };
          yield delivery;
        }
      },
    };
    const reactor = echoReactor();
    const runtime = make({ threads: [echoThread(reactor)], bus });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "once" });
    expect(texts(await channel.received(1))).toEqual(["echo: once"]);
    expect([lostAcks, reactor.asked]).toEqual([2, ["once"]]);
  });

  it("lets a direct call wait in the conversation's line, and a message wait for a direct call", async () => {
    const [hold, reached] = [gate(), gate()];
    const order: string[] = [];
    const reactor = echoReactor(async (said) => {
      order.push(said);
      if (said !== "first") return;
      reached.open();
      await hold.promise;
    });
    const thread = echoThread(reactor);
    const runtime = make({ threads: [thread] });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "first" });
    await reached.promise;
    const direct = await runtime.react(thread, { id: "d", text: "direct" }, { address: { key: "memory:a" } });
    await channel.publish({ id: "2", chat: "a", text: "last" });
    expect(order).toEqual(["first"]);
    hold.open();
    expect((await direct.result).text).toBe("echo: direct");
    expect(texts(await channel.received(2))).toEqual(["echo: first", "echo: last"]);
    expect(order).toEqual(["first", "direct", "last"]);
  });

  it("frees its worker while a turn waits for a person, and goes on where the decision is heard", async () => {
    const pay = defineAction({ description: "Pays.", input: z.object({}), approval: true, execute: () => "paid" });
    const desk = echoThread(
      scriptedReactor({ steps: [{ actions: [{ name: "pay", input: {} }] }, { text: "Done." }] }),
      { name: "echo", actions: { pay } },
    );
    const [store, bus] = [memoryStore(), localBus() as Bus];
    const runtime = make({ threads: [desk], store, bus });
    const other = make({ threads: [desk], store, bus });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "pay" });
    const waiting = async () => (await store.load("default", { key: "memory:a" }))?.active?.approvals[0];
    let approval = await waiting();
    while (approval === undefined || (await bus.stats()).inbound.depth > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      approval = await waiting();
    }
    await other.engine.approve(approval.id, { by: "ana" });
    expect(texts(await channel.received(1))).toEqual(["Done."]);
  });

  it("steers: a message that comes in mid-turn is heard by the turn that runs", async () => {
    const [hold, reached] = [gate(), gate()];
    const reactor = echoReactor(async (said) => {
      if (said !== "one") return;
      reached.open();
      await hold.promise;
    });
    const store = memoryStore();
    const runtime = make({ threads: [echoThread(reactor, { policy: { whenBusy: "steer" } })], store });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "one" });
    await reached.promise;
    await channel.publish({ id: "2", chat: "a", text: "two" });
    const attached = async () =>
      ((await store.load("default", { key: "memory:a" }))?.active?.items ?? []).filter(({ kind }) => kind === "trigger")
        .length;
    while ((await attached()) < 2) await new Promise((resolve) => setImmediate(resolve));
    hold.open();
    expect(texts(await channel.received(1))).toEqual(["echo: two"]);
    while ((await runtime.bus.stats()).inbound.depth > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(channel.replies).toHaveLength(1);
  });

  it("cancels the running turn for a message that interrupts", async () => {
    const reached = gate();
    const reactor = echoReactor(async (said, signal) => {
      if (said !== "long") return;
      reached.open();
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
      );
    });
    const runtime = make({ threads: [echoThread(reactor)] });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "long" });
    await reached.promise;
    await channel.publish({ id: "2", chat: "a", text: "stop", interrupt: true });
    const replies = await channel.received(2);
    expect(replies.at(-1)?.text).toBe("echo: stop");
  });
});

describe("a durable store with the local bus", () => {
  let directory = "";
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("accepts nothing that a restart would forget: messages and replies survive the process's end", async () => {
    directory = mkdtempSync(join(tmpdir(), "hebra-runtime-"));
    const path = join(directory, "threads.sqlite");
    const first = await sqliteStore({ path });
    const before = createRuntime({ threads: [echoThread()], store: first });
    const early = memoryChannel();
    await before.gateway({ channels: [early], embeddedWorker: false });
    for (const id of ["1", "2", "3"])
      expect(await early.publish({ id, chat: "a", text: `message ${id}` })).toMatchObject({
        status: "accepted",
        durable: true,
      });
    // No worker ever saw them; the bus that held them ends with this runtime.
    await before.close();
    await first.close();

    const second = await sqliteStore({ path });
    const runtime = make({ store: second });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    expect(await channel.publish({ id: "3", chat: "a", text: "message 3" })).toMatchObject({ status: "duplicate" });
    expect(texts(await channel.received(3))).toEqual(["echo: message 1", "echo: message 2", "echo: message 3"]);
    await runtime.close();
    expect((await second.load("default", { key: "memory:a" }))?.outbox).toEqual([]);
    await second.close();
  });

  it("sends after a restart what its channel could not take before, once, and what was sent never again", async () => {
    directory = mkdtempSync(join(tmpdir(), "hebra-runtime-"));
    const path = join(directory, "threads.sqlite");
    const first = await sqliteStore({ path });
    const before = createRuntime({ threads: [echoThread()], store: first });
    const refused = gate();
    const early = memoryChannel("memory", async ({ text }) => {
      if (text !== "echo: message 2") return;
      refused.open();
      throw new HebraError("UNREACHABLE", "Too many requests.", { details: { retryAfterMs: 3_600_000 } });
    });
    await before.gateway({ channels: [early] });
    for (const id of ["1", "2", "3"]) await early.publish({ id, chat: "a", text: `message ${id}` });
    await refused.promise;
    while ((await before.bus.stats()).inbound.depth > 0) await new Promise((resolve) => setImmediate(resolve));
    await before.close();
    expect(texts(early.replies)).toEqual(["echo: message 1"]);
    await first.close();

    const second = await sqliteStore({ path });
    const runtime = make({ store: second });
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    expect(texts(await channel.received(2))).toEqual(["echo: message 2", "echo: message 3"]);
    await runtime.close();
    expect((await second.load("default", { key: "memory:a" }))?.outbox).toEqual([]);
    await second.close();
  });
});
