import { HebraError } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { httpChannel } from "./channels/http.ts";
import { openRuntime, parseRuntimeConfig } from "./config.ts";
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
/** A bus that says, as the one on Redis does, that others see it too. */
const sharedBus = (): Bus => Object.assign(localBus() as Bus, { ready: async () => {} });

describe("health", () => {
  it("is ready with a worker in the process, and not while it drains", async () => {
    const runtime = make();
    await runtime.gateway({ channels: [memoryChannel()] });
    expect(await runtime.health()).toMatchObject({ live: true, ready: true });
    await runtime.drain();
    expect(await runtime.health()).toMatchObject({
      live: true,
      ready: false,
      checks: { open: { ok: false, detail: "draining" } },
    });
  });

  it("is not ready, and loud, without any live worker; and ready once another process has one", async () => {
    const [bus, locks, store] = [sharedBus(), localLocks(), memoryStore()];
    const errors: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) };
    const lonely = make({ bus, locks, store, logger });
    await lonely.gateway({ channels: [memoryChannel()], embeddedWorker: false });
    expect(await lonely.health()).toMatchObject({ ready: false, checks: { workers: { ok: false } } });
    expect(errors).toEqual([expect.stringContaining("No worker is running")]);
    make({ bus, locks, store }).worker();
    const accompanied = make({ bus, locks, store });
    await accompanied.gateway({ id: "second", channels: [memoryChannel()], embeddedWorker: false });
    expect(await accompanied.health()).toMatchObject({ ready: true });
  });

  it("is not live once its worker cannot work any more, and no other process counts on it", async () => {
    const bus = Object.assign(sharedBus(), {
      consumeInbound: () => {
        throw new HebraError("UPGRADE_REQUIRED", "The namespace is newer than this process.");
      },
    });
    const locks = localLocks();
    const runtime = make({ bus, locks });
    const worker = runtime.worker();
    while (worker.idleMs() !== Infinity) await new Promise((resolve) => setImmediate(resolve));
    expect(await runtime.health()).toMatchObject({
      live: false,
      ready: false,
      checks: { "worker-loop": { ok: false } },
    });
    // The lock by which others see a worker is free.
    await (await locks.acquire("leader/workers", { waitMs: 10_000 })).release();
  });
});

describe("a configuration as data", () => {
  it("is local throughout when nothing is said", () => {
    expect(parseRuntimeConfig({})).toMatchObject({
      bus: { backend: "local" },
      locks: { backend: "local" },
      store: { backend: "local" },
      workers: 1,
    });
  });

  it("opens a runtime, and closes all of it", async () => {
    const runtime = await openRuntime({ store: { backend: "memory" } }, { threads: [echoThread()] });
    const turn = await runtime.react("echo", { id: "1", text: "hi" }, { address: { key: "a" } });
    expect((await turn.result).text).toBe("echo: hi");
    await runtime.close();
    expect(runtime.bus.health().state).toBe("closed");
  });
});

describe("replies", () => {
  it("are tried again in order, after what the other side asked for", async () => {
    const bus = localBus({ retry: { baseMs: 0 } }) as Bus;
    let failures = 2;
    const channel = memoryChannel("memory", async () => {
      if (failures-- > 0) throw new HebraError("UNREACHABLE", "Too many requests.", { details: { retryAfterMs: 1 } });
    });
    const runtime = make({ bus });
    await runtime.gateway({ channels: [channel] });
    for (const id of ["1", "2", "3"]) await channel.publish({ id, chat: "a", text: id });
    expect((await channel.received(3)).map(({ text }) => text)).toEqual(["echo: 1", "echo: 2", "echo: 3"]);
  });

  it("become dead letters when the other side will never take them", async () => {
    const channel = memoryChannel("memory", async () => {
      throw new HebraError("SERVER_REFUSED", "The chat is gone.");
    });
    const runtime = make();
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "hello" });
    let letters = (await runtime.bus.deadLetters.list()).letters;
    while (letters.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      letters = (await runtime.bus.deadLetters.list()).letters;
    }
    expect(letters).toMatchObject([
      { direction: "outbound", gatewayId: "main", cause: "permanent", signature: { code: "SERVER_REFUSED" } },
    ]);
  });

  it("say so when a turn failed, and the log says why: a failed turn is an answer, not a retry", async () => {
    const reactor = echoReactor(() => {
      throw new HebraError("REACTOR_FAILED", "The model said no.");
    });
    const channel = memoryChannel();
    const errors: object[] = [];
    const logger = {
      debug() {},
      info() {},
      warn() {},
      error: (text: string, about = {}) => errors.push({ text, about }),
    };
    const runtime = make({ threads: [echoThread(reactor)], logger });
    await runtime.gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "a", text: "hello" });
    expect(await channel.received(1)).toMatchObject([
      { text: "Something went wrong on our side. Please try again.", failure: "REACTOR_FAILED" },
    ]);
    expect((await runtime.bus.stats()).dead).toBe(0);
    expect(errors).toMatchObject([
      { text: "A turn failed.", about: { code: "REACTOR_FAILED", reason: "The model said no." } },
    ]);
  });
});

describe("the HTTP channel", () => {
  it("answers 503 when the message could not be handed over, 400 for what is no message, 401 without credentials", async () => {
    const bus = {
      ...(localBus() as Bus),
      publishInbound: () => Promise.reject(new HebraError("UNREACHABLE", "Redis is away.")),
    };
    const runtime = make({ bus });
    const web = httpChannel({
      authorize: (request) => (request.headers.get("authorization") === "Bearer key" ? { chat: "ana" } : undefined),
    });
    await runtime.gateway({ channels: [web] });
    const post = (body: object, authorization = "Bearer key") =>
      web.handler(
        new Request("http://host/messages", {
          method: "POST",
          body: JSON.stringify(body),
          headers: { authorization, "content-type": "application/json" },
        }),
      );
    expect((await post({ id: "1", chat: "ana", text: "hi" })).status).toBe(503);
    expect((await post({ id: "1", chat: "ana", texts: "hi" })).status).toBe(400);
    expect((await post({ id: "1", chat: "ana", text: "hi" }, "Bearer other")).status).toBe(401);
  });

  it("streams replies and growing text to those who are connected", async () => {
    const [hold, reached] = [gate(), gate()];
    const runtime = make({ threads: [echoThread(echoReactor(async () => (reached.open(), hold.promise)))] });
    const web = httpChannel({ authorize: "everybody" });
    await runtime.gateway({ channels: [web] });
    const stream = (await web.handler(new Request("http://localhost/chats/ana/events")))
      .body!.pipeThrough(new TextDecoderStream())
      .getReader();
    await web.handler(
      new Request("http://localhost/messages", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "1", chat: "ana", text: "hi" }),
      }),
    );
    await reached.promise;
    let seen = "";
    while (!seen.includes("event: delta")) seen += (await stream.read()).value ?? "";
    expect(seen).toContain('"text":"echo: "');
    hold.open();
    while (!seen.includes("event: reply")) seen += (await stream.read()).value ?? "";
    expect(seen).toContain('"text":"echo: hi"');
    await stream.cancel();
  });
});

describe("a gateway that acknowledges durable messages only", () => {
  it("does not acknowledge what the bus could not make durable, and takes it when it is repeated [BU-6]", async () => {
    const inner = localBus() as Bus;
    let durable = false;
    const bus: Bus = Object.assign(Object.create(inner) as Bus, inner, {
      deadLetters: inner.deadLetters,
      publishInbound: async (...given: Parameters<Bus["publishInbound"]>) =>
        (await inner.publishInbound(...given)).map((receipt) => ({ ...receipt, durable })),
    });
    const strict = memoryChannel("strict");
    const lenient = memoryChannel("lenient");
    const runtime = make({ bus });
    await runtime.gateway({ id: "a", channels: [strict], whenNotDurable: "refuse" });
    await runtime.gateway({ id: "b", channels: [lenient], embeddedWorker: false });
    const message = { id: "1", chat: "7", text: "hi" };
    await expect(strict.publish(message)).rejects.toMatchObject({ code: "UNREACHABLE", retryable: true });
    expect(await lenient.publish(message)).toMatchObject({ status: "accepted", durable: false });
    durable = true;
    expect(await strict.publish(message)).toMatchObject({ status: "duplicate", durable: true });
    expect((await strict.received(1)).map(({ text }) => text)).toEqual(["echo: hi"]);
  });
});
