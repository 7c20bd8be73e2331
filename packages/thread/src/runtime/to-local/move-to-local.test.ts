import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import type { Bus, Delivery } from "@hebra/bus";
import { redisBus } from "@hebra/bus/redis";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openRuntime, openStore, parseRuntimeConfig, type RuntimeConfig } from "../config.ts";
import type { Router } from "../route.ts";
import { echoThread, memoryChannel, type MemoryChannel } from "../runtime.fixture.ts";
import { localConfig } from "./local-config.ts";
import { moveToLocal, undoMoveToLocal } from "./move-to-local.ts";
import type { MoveProgress } from "./types.ts";

const TIME = 240_000;
const HOUR = 3_600_000;
/** When something is scheduled for: long after the end of every test. */
const soon = Date.now() + HOUR;
const database = process.env["DATABASE_URL"];

/** `old:` sessions are answered by an older engine. */
const route: Router = (message) =>
  message.session.startsWith("memory:old") ? { answer: async ({ text }) => [`old: ${text}`] } : { thread: "echo" };
const parts = { threads: [echoThread()], route };

describe.skipIf(withoutRedisServer !== undefined)("moving back to local", () => {
  let redis: TestRedis;
  let count = 0;
  let directory = "";
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
    if (database === undefined) return;
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    for (let n = 1; n <= count; n++) await client.query(`DROP SCHEMA IF EXISTS move_${process.pid}_${n} CASCADE`);
    await client.end();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    rmSync(directory, { recursive: true, force: true });
  });

  function distributed(store: "redis" | "postgres" = "redis"): RuntimeConfig {
    directory = mkdtempSync(join(tmpdir(), "hebra-to-local-"));
    const namespace = `move${process.pid}.${++count}`;
    const shared = { backend: "redis" as const, url: redis.url, namespace };
    const stores = {
      redis: { backend: "redis" as const, url: redis.url, namespace: `${namespace}:thread` },
      postgres: {
        backend: "postgres" as const,
        url: database!,
        schema: `move_${process.pid}_${count}`,
        migrations: "automatic" as const,
      },
    };
    return { bus: { ...shared, leaseMs: 1_000 }, locks: shared, store: stores[store], workers: 2 };
  }
  const move = (config: RuntimeConfig, over: Partial<Parameters<typeof moveToLocal>[0]> = {}) =>
    moveToLocal({
      ...parts,
      config,
      path: join(directory, "threads.sqlite"),
      directory: join(directory, "notes"),
      switchOver: async (local) => writeFileSync(join(directory, "local.json"), JSON.stringify(local)),
      ...over,
    });
  async function open(config: RuntimeConfig) {
    const runtime = await openRuntime(config, parts);
    closers.push(() => runtime.close());
    return runtime;
  }
  /** A local gateway on what was switched to. */
  async function goLocal() {
    const runtime = await open(JSON.parse(readFileSync(join(directory, "local.json"), "utf8")) as RuntimeConfig);
    const channel = memoryChannel();
    await runtime.gateway({ channels: [channel] });
    return { runtime, channel };
  }
  async function takeOne(bus: Bus, session: string): Promise<Delivery> {
    const stop = new AbortController();
    for await (const delivery of bus.consumeInbound({ concurrency: 1, signal: stop.signal })) {
      if (delivery.session === session) {
        stop.abort();
        return delivery;
      }
      await delivery.release({ delayMs: 50 });
    }
    throw new Error("nothing came");
  }
  /** Everything that can wait on a bus, and who is answered what in the end. */
  async function fill(config: RuntimeConfig): Promise<Map<string, string[]>> {
    const expected = new Map<string, string[]>();
    const say = async (channel: MemoryChannel, chat: string, id: string) => {
      await channel.publish({ id, chat, text: `${chat} ${id}` });
      expected.set(chat, [...(expected.get(chat) ?? []), `${chat.startsWith("old") ? "old" : "echo"}: ${chat} ${id}`]);
    };
    // Answered turns, whose replies no channel takes.
    const before = await openRuntime(config, parts);
    const refusing = memoryChannel("memory", async () => {
      throw new HebraError("UNREACHABLE", "Too many requests.", { details: { retryAfterMs: HOUR } });
    });
    await before.gateway({ channels: [refusing] });
    for (const chat of ["a", "b", "old1"]) for (const id of ["1", "2"]) await say(refusing, chat, id);
    for (
      let full = false;
      !full;
      full = (await before.bus.stats()).outbound.depth === 6 && (await before.bus.stats()).inbound.depth === 0
    )
      await new Promise((resolve) => setTimeout(resolve, 20));
    await before.close();

    // Messages that nobody has taken up: many, in retry, for later, of an older engine, and one that is no message.
    const gateway = await openRuntime(config, parts);
    const channel = memoryChannel();
    await gateway.gateway({ channels: [channel], embeddedWorker: false });
    for (let n = 3; n < 8; n++)
      for (const chat of ["a", "b", "old1", "old2", ...Array.from({ length: 10 }, (_, k) => `c${k}`)])
        await say(channel, chat, String(n));
    await gateway.close();
    const bus = redisBus({ url: redis.url, namespace: config.bus!.namespace!, leaseMs: 1_000 }) as Bus;
    const failing = await takeOne(bus, "memory:c1");
    await failing.nack({ delayMs: HOUR, reason: "The model is away." });
    const replyTo = { gatewayId: "main", channel: "memory", chat: "later", inReplyTo: "s1", deltas: false };
    const later = (id: string, at: number) =>
      bus.schedule(
        {
          session: "memory:later",
          id: `memory:${id}`,
          payload: {
            kind: "message",
            message: { id, chat: "later", text: `later ${id}` },
            replyTo: { ...replyTo, inReplyTo: id },
          },
        },
        { at },
      );
    await later("s1", soon);
    await later("s2", soon + HOUR);
    await bus.publishInbound({ session: "memory:odd", payload: { kind: "no such thing" } });
    await bus.close();
    return expected;
  }
  /** Each conversation got everything, once and in order. */
  function check(channel: MemoryChannel, expected: Map<string, string[]>): void {
    for (const [chat, texts] of expected)
      expect([chat, channel.replies.filter((reply) => reply.chat === chat).map(({ text }) => text)]).toEqual([
        chat,
        texts,
      ]);
  }
  const total = (expected: Map<string, string[]>) =>
    [...expected.values()].reduce((sum, { length }) => sum + length, 0);

  it.each(["redis", ...(database === undefined ? [] : ["postgres"])] as ("redis" | "postgres")[])(
    "from %s, with everything that can wait: nothing is lost, the order is kept, in under five minutes",
    async (store) => {
      const config = distributed(store);
      const expected = await fill(config);
      const progress: MoveProgress[] = [];
      const report = await move(config, { onProgress: (one) => progress.push(one) });
      expect(report.ms).toBeLessThan(300_000);
      expect(report.steps.map(({ step }) => step)).toEqual([
        "check",
        "pause",
        "drain",
        "stop",
        "move",
        "export",
        "import",
        "switch",
        "verify",
      ]);
      expect(progress.filter(({ state }) => state === "done").map(({ step }) => step)).toEqual(
        report.steps.map(({ step }) => step),
      );
      expect(report).toMatchObject({ moved: { queued: 60, scheduled: 2, replies: 6, others: 10 }, deadLetters: 1 });
      expect(JSON.parse(readFileSync(join(directory, "notes", "dead-letters.jsonl"), "utf8"))).toMatchObject({
        session: "memory:odd",
        cause: "permanent",
      });
      expect(statSync(join(directory, "notes", "threads.jsonl")).mode & 0o77).toBe(0);
      const local = JSON.parse(readFileSync(join(directory, "local.json"), "utf8")) as RuntimeConfig;
      expect(local).toEqual({
        bus: { backend: "local", leaseMs: 1_000 },
        locks: { backend: "local" },
        store: { backend: "sqlite", path: join(directory, "threads.sqlite") },
        workers: 1,
      });

      const { runtime, channel } = await goLocal();
      await channel.received(total(expected));
      check(channel, expected);
      // What is for later keeps its time, to the millisecond or so of two clocks, and outlives a second start, which
      // has nothing else to do.
      const scheduled = async (bus: Bus) =>
        (await bus.scheduled()).messages.map(({ id, at }) => [id, Math.round((at - soon) / 60_000) + 0]);
      expect(await scheduled(runtime.bus)).toEqual([
        ["memory:s1", 0],
        ["memory:s2", 60],
      ]);
      await runtime.close();
      const again = await goLocal();
      expect(await scheduled(again.runtime.bus)).toEqual([
        ["memory:s1", 0],
        ["memory:s2", 60],
      ]);
      expect(again.channel.replies).toEqual([]);
    },
    TIME,
  );

  it(
    "stops those who still work, and keeps whoever starts late from taking in or working",
    async () => {
      const config = distributed();
      const live = await open(config);
      const channel = memoryChannel();
      await live.gateway({ channels: [channel] });
      await channel.publish({ id: "1", chat: "a", text: "one" });
      await channel.received(1);
      const moving = move(config);
      // It is refused as soon as it is paused, and is told to come again.
      for (let open = true; open;)
        open = await channel.publish({ id: `x${count++}`, chat: "b", text: "hello" }).then(
          () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 20)),
          (error: unknown) => {
            expect(error).toMatchObject({ code: "CLOSED", retryable: true });
            return false;
          },
        );
      const taken = channel.replies.length;
      await expect(
        live.react("echo", { id: "d", text: "direct" }, { address: { key: "memory:a" } }),
      ).rejects.toMatchObject({ code: "CLOSED" });
      await moving;
      expect(await live.health()).toMatchObject({ ready: false });
      const late = await open(config);
      const knocking = memoryChannel();
      await late.gateway({ id: "late", channels: [knocking] });
      await expect(knocking.publish({ id: "2", chat: "a", text: "two" })).rejects.toMatchObject({ code: "CLOSED" });
      expect(channel.replies.length).toBeGreaterThanOrEqual(taken);

      const { runtime, channel: local } = await goLocal();
      await local.publish({ id: "2", chat: "a", text: "two" });
      expect((await local.received(1)).map(({ text }) => text)).toEqual(["echo: two"]);
      expect(
        (await runtime.engine.history({ key: "memory:a" })).filter(({ item }) => item.kind === "trigger"),
      ).toHaveLength(2);
    },
    TIME,
  );

  it(
    "takes the pause back when it is broken off before anything was moved, and by `undo` after a crash",
    async () => {
      const config = distributed();
      const abort = new AbortController();
      const broken = move(config, {
        signal: abort.signal,
        onProgress: ({ step, state }) => void (step === "drain" && state === "begun" && abort.abort()),
      });
      await expect(broken).rejects.toMatchObject({ code: "ABORTED" });
      const live = await open(config);
      const channel = memoryChannel();
      await live.gateway({ channels: [channel] });
      await channel.publish({ id: "1", chat: "a", text: "one" });
      await channel.received(1);
      await live.close();
      await undoMoveToLocal({ config, directory: join(directory, "notes") });
      await move(config);
      await expect(undoMoveToLocal({ config, directory: join(directory, "notes") })).rejects.toMatchObject({
        code: "UNSUPPORTED",
      });
    },
    TIME,
  );

  it(
    "refuses what cannot be moved, before it touches anything",
    async () => {
      const config = distributed();
      await expect(move({ ...config, bus: {} })).rejects.toMatchObject({
        code: "INVALID_OPTIONS",
        message: expect.stringContaining("local already"),
      });
      await expect(move({ ...config, store: { backend: "memory" }, workers: 1 })).rejects.toMatchObject({
        code: "UNSUPPORTED",
      });
      writeFileSync(join(directory, "threads.sqlite"), "");
      await expect(move(config)).rejects.toMatchObject({
        code: "INVALID_OPTIONS",
        message: expect.stringContaining("There is a file"),
      });
      rmSync(join(directory, "threads.sqlite"));
      const bus = redisBus({
        url: redis.url,
        namespace: config.bus!.namespace!,
        leaseMs: 1_000,
        retry: { maxAttempts: 1, onExhausted: "park" },
      }) as Bus;
      await bus.publishInbound({ session: "p", payload: 1 });
      await (await takeOne(bus, "p")).nack({ permanent: true });
      await bus.close();
      await expect(move(config)).rejects.toMatchObject({
        code: "UNSUPPORTED",
        message: expect.stringContaining("parked"),
      });
      expect(existsSync(join(directory, "local.json"))).toBe(false);
    },
    TIME,
  );

  it(
    "does not switch when its app lacks what a message waits for; repeated with it, it goes on",
    async () => {
      const config = distributed();
      const gateway = await openRuntime(config, parts);
      const channel = memoryChannel();
      await gateway.gateway({ channels: [channel], embeddedWorker: false });
      for (const id of ["1", "2"]) await channel.publish({ id, chat: "a", text: id });
      await gateway.close();
      await expect(move(config, { threads: [], route: () => ({ thread: "echo" }) })).rejects.toMatchObject({
        code: "DEFINITION_MISSING",
      });
      expect(existsSync(join(directory, "local.json"))).toBe(false);
      const report = await move(config);
      expect(report.moved.queued).toBe(2);
      const { channel: local } = await goLocal();
      expect((await local.received(2)).map(({ text }) => text)).toEqual(["echo: 1", "echo: 2"]);
    },
    TIME,
  );

  it(
    "leaves a store alone that is a file already",
    async () => {
      const config: RuntimeConfig = {
        ...distributed(),
        store: { backend: "sqlite", path: join(directory, "shared.sqlite") },
        oneHost: true,
      };
      const gateway = await openRuntime(config, parts);
      const channel = memoryChannel();
      await gateway.gateway({ channels: [channel], embeddedWorker: false });
      for (const id of ["1", "2", "3"]) await channel.publish({ id, chat: "a", text: id });
      await gateway.close();
      const report = await move(config);
      expect(report.steps.map(({ step }) => step)).toEqual([
        "check",
        "pause",
        "drain",
        "stop",
        "move",
        "switch",
        "verify",
      ]);
      expect(existsSync(join(directory, "threads.sqlite"))).toBe(false);
      const { channel: local } = await goLocal();
      expect((await local.received(3)).map(({ text }) => text)).toEqual(["echo: 1", "echo: 2", "echo: 3"]);
    },
    TIME,
  );
});

describe("the local configuration", () => {
  it("keeps what is said about behaviour, and no address of any server", async () => {
    const local = localConfig(
      {
        bus: { backend: "redis", url: "redis://u:p@h", maxAttempts: 9, durability: "replicated" },
        locks: { backend: "redis", url: "redis://u:p@h" },
        store: { backend: "postgres", url: "postgres://u:p@h/d" },
        workers: 5,
        sweepMs: 500,
      },
      "x.sqlite",
    );
    expect(local).toEqual({
      bus: { backend: "local", maxAttempts: 9 },
      locks: { backend: "local" },
      store: { backend: "sqlite", path: "x.sqlite" },
      workers: 1,
      sweepMs: 500,
    });
    expect(parseRuntimeConfig(local).store.backend).toBe("sqlite");
    await expect(openStore({ ...parseRuntimeConfig({ store: { backend: "memory" } }).store })).resolves.toBeDefined();
  });
});
