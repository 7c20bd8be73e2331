import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import type { Bus, Delivery } from "@hebra/bus";
import { redisBus } from "@hebra/bus/redis";
import { startRedis, type TestRedis } from "@hebra/test-servers/redis";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { openRuntime, type RuntimeConfig } from "../config.ts";
import type { Router } from "../route.ts";
import { echoThread, memoryChannel, type MemoryChannel } from "../runtime.fixture.ts";
import { moveToLocal } from "./move-to-local.ts";

export const TIME = 240_000;
const HOUR = 3_600_000;
/** When something is scheduled for: long after the end of every test. */
export const soon = Date.now() + HOUR;
export const database = process.env["DATABASE_URL"];

/** `old:` sessions are answered by an older engine. */
const route: Router = (message) =>
  message.session.startsWith("memory:old") ? { answer: async ({ text }) => [`old: ${text}`] } : { thread: "echo" };
/** What every runtime of these tests is made of. */
export const parts = { threads: [echoThread()], route };

/** Deployments over one Redis of their own, and what is moved. Call it inside a `describe`. */
export function moveBench() {
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

  return {
    redis: () => redis,
    directory: () => directory,
    distributed,
    move,
    open,
    goLocal,
    takeOne,
    fill,
    check,
    total,
  };
}
