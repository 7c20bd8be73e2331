import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { redisBus } from "@hebra/bus/redis";
import { localBus, type Bus } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { redisLocks } from "@hebra/lock/redis";
import { scriptedReactor } from "@hebra/reactor";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { BusyPolicy } from "../definition/policy.ts";
import { memoryStore } from "../store/memory.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { echoReactor, echoThread, gate, memoryChannel } from "./runtime.fixture.ts";

let server: TestRedis | undefined;
let count = 0;
const closers: (() => Promise<void>)[] = [];
beforeAll(async () => {
  if (withoutRedisServer === undefined) server = await startRedis();
});
afterAll(() => server?.stop());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Two processes' worth of runtimes on one bus and one store: the channel is in the first, both work. */
async function twoOn(backend: "local" | "redis", thread: AnyThreadDefinition) {
  const store = memoryStore();
  const namespace = `policies${process.pid}.${++count}`;
  const shared = { bus: localBus() as Bus, locks: localLocks() };
  const make = (): Runtime => {
    const bus = backend === "local" ? shared.bus : (redisBus({ url: server!.url, namespace }) as Bus);
    const locks = backend === "local" ? shared.locks : redisLocks({ url: server!.url, namespace });
    const runtime = createRuntime({ threads: [thread], store, bus, locks, busyText: "busy" });
    closers.push(async () => {
      await runtime.close();
      if (backend === "local") return;
      await bus.close();
      await locks.close();
    });
    return runtime;
  };
  const [first, second] = [make(), make()];
  const channel = memoryChannel();
  await first.gateway({ channels: [channel], embeddedWorker: { concurrency: 2 } });
  second.worker({ concurrency: 2 });
  const said = async () => {
    const history = await first.engine.history({ key: "memory:a" });
    return history
      .filter(({ item }) => item.kind === "trigger")
      .map(({ item }) => item.content.map((part) => ("text" in part ? part.text : "")).join(""));
  };
  const say = (id: string, text: string, more: object = {}) => channel.publish({ id, chat: "a", text, ...more });
  return { first, second, channel, store, said, say };
}

/** A thread that stands still at the message `hold`, until it is let go or cancelled. */
function holding(whenBusy: BusyPolicy) {
  const [hold, reached] = [gate(), gate()];
  const reactor = echoReactor(async (said, signal) => {
    if (said !== "hold") return;
    reached.open();
    const cancelled = new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    );
    await Promise.race([hold.promise, cancelled]);
  });
  return { thread: echoThread(reactor, { policy: { whenBusy } }), reactor, reached, letGo: () => hold.open() };
}
const texts = (replies: readonly { text: string }[]) => replies.map(({ text }) => text);

describe.each(["local", "redis"] as const)("a message for a busy thread, over the %s bus", (backend) => {
  const test = it.skipIf(backend === "redis" && withoutRedisServer !== undefined);

  test("`reject`: it is told so at once, nothing is written, and the turn that runs goes on", async () => {
    const { thread, reached, letGo } = holding("reject");
    const { first, channel, store, say } = await twoOn(backend, thread);
    await say("1", "hold");
    await reached.promise;
    await say("2", "two");
    expect(await channel.received(1)).toMatchObject([{ inReplyTo: "2", text: "busy", failure: "THREAD_BUSY" }]);
    letGo();
    expect((await channel.received(2))[1]).toMatchObject({ inReplyTo: "1", text: "echo: hold" });
    await say("3", "three");
    expect((await channel.received(3))[2]).toMatchObject({ inReplyTo: "3", text: "echo: three" });
    const { context } = (await store.load("default", { key: "memory:a" }))!;
    expect((await store.export("default", context.id))!.executions.map(({ triggerId }) => triggerId)).toEqual([
      "memory:1",
      "memory:3",
    ]);
    const { dead, inbound } = await first.bus.stats();
    expect([dead, inbound.depth]).toEqual([0, 0]);
  });

  test("`reject`: also while a turn waits for a person, and while a direct call runs", async () => {
    const pay = defineAction({ description: "Pays.", input: z.object({}), approval: true, execute: () => "paid" });
    const desk = echoThread(
      scriptedReactor({ steps: [{ actions: [{ name: "pay", input: {} }] }, { text: "Done." }] }),
      { actions: { pay }, policy: { whenBusy: "reject" } },
    );
    const waiting = await twoOn(backend, desk);
    await waiting.say("1", "pay");
    const approval = async () => (await waiting.store.load("default", { key: "memory:a" }))?.active?.approvals[0];
    while ((await approval()) === undefined || (await waiting.first.bus.stats()).inbound.depth > 0)
      await new Promise((resolve) => setImmediate(resolve));
    await waiting.say("2", "hello?");
    expect(await waiting.channel.received(1)).toMatchObject([{ inReplyTo: "2", failure: "THREAD_BUSY" }]);

    const { thread, reached, letGo } = holding("reject");
    const called = await twoOn(backend, thread);
    const turn = await called.second.react(thread, { id: "d", text: "hold" }, { address: { key: "memory:a" } });
    await reached.promise;
    await called.say("1", "one");
    expect(await called.channel.received(1)).toMatchObject([{ inReplyTo: "1", failure: "THREAD_BUSY" }]);
    await expect(
      called.first.react(thread, { id: "e", text: "me too" }, { address: { key: "memory:a" } }),
    ).rejects.toMatchObject({ code: "THREAD_BUSY" });
    letGo();
    expect((await turn.result).text).toBe("echo: hold");
    expect(await called.said()).toEqual(["hold"]);
  });

  test("`interrupt`: the running turn is cut off, and the message goes next", async () => {
    const { thread, reached } = holding("interrupt");
    const { channel, said, say } = await twoOn(backend, thread);
    await say("1", "hold");
    await reached.promise;
    await say("2", "two");
    expect((await channel.received(2)).at(-1)).toMatchObject({ inReplyTo: "2", text: "echo: two" });
    expect(await said()).toEqual(["hold", "two"]);
  });

  test("`interrupt`: it reaches the turn of a direct call in another process as well", async () => {
    const { thread, reached } = holding("queue");
    const { second, channel, say } = await twoOn(backend, thread);
    const turn = await second.react(thread, { id: "d", text: "hold" }, { address: { key: "memory:a" } });
    await reached.promise;
    await say("1", "stop", { interrupt: true });
    expect((await turn.result).status).toBe("cancelled");
    expect(texts(await channel.received(1))).toEqual(["echo: stop"]);
  });

  test("`steer`: the turn that runs hears it before its next step", async () => {
    const { thread, reactor, reached, letGo } = holding("steer");
    const { channel, store, say } = await twoOn(backend, thread);
    await say("1", "hold");
    await reached.promise;
    await say("2", "two");
    const heard = async () =>
      ((await store.load("default", { key: "memory:a" }))?.active?.items ?? []).filter(({ kind }) => kind === "trigger")
        .length;
    while ((await heard()) < 2) await new Promise((resolve) => setImmediate(resolve));
    letGo();
    expect((await channel.received(1))[0]?.text).toContain("echo: two");
    expect(reactor.asked).toEqual(["hold", "two"]);
  });

  test("`merge`: messages that come in meanwhile share the next turn", async () => {
    const { thread, reactor, reached, letGo } = holding("merge");
    const { channel, store, say } = await twoOn(backend, thread);
    await say("1", "hold");
    await reached.promise;
    for (const id of ["2", "3", "4"]) await say(id, `m${id}`);
    const waiting = async () =>
      (await store.load("default", { key: "memory:a" }))?.queued.flatMap(({ attached }) => attached).length ?? 0;
    while ((await waiting()) < 2) await new Promise((resolve) => setImmediate(resolve));
    letGo();
    expect(texts(await channel.received(2))).toEqual(["echo: hold", "echo: m4"]);
    expect(reactor.asked).toEqual(["hold", "m4"]);
  });

  test("`queue`: it waits, as does a direct call from another process, and neither runs beside the other", async () => {
    const { thread, reactor, reached, letGo } = holding("queue");
    const { second, channel, said, say } = await twoOn(backend, thread);
    await say("1", "hold");
    await reached.promise;
    await say("2", "two");
    const direct = await second.react(thread, { id: "d", text: "direct" }, { address: { key: "memory:a" } });
    expect(reactor.asked).toEqual(["hold"]);
    letGo();
    expect((await direct.result).text).toBe("echo: direct");
    await say("3", "three");
    // What the direct call said went to its caller alone.
    expect(texts(await channel.received(3))).toEqual(["echo: hold", "echo: two", "echo: three"]);
    expect((await said()).sort()).toEqual(["direct", "hold", "three", "two"]);
  });

  test("`queue`: a message waits for the direct call that holds its conversation", async () => {
    const { thread, reactor, reached, letGo } = holding("queue");
    const { second, channel, said, say } = await twoOn(backend, thread);
    const direct = await second.react(thread, { id: "d", text: "hold" }, { address: { key: "memory:a" } });
    await reached.promise;
    await say("1", "one");
    expect(reactor.asked).toEqual(["hold"]);
    letGo();
    expect((await direct.result).text).toBe("echo: hold");
    expect(texts(await channel.received(1))).toEqual(["echo: one"]);
    expect(await said()).toEqual(["hold", "one"]);
  });
});
