import assert from "node:assert/strict";
import { redisBus } from "@hebra/bus/redis";
import type { Bus } from "@hebra/bus";
import { redisLocks } from "@hebra/lock/redis";
import { startRedis, withoutRedisServer } from "@hebra/test-servers/redis";
import { eventually } from "@hebra/test-servers/eventually";
import { Redis } from "ioredis";
import pg from "pg";
import { describe, test } from "vitest";
import { postgresMigrations, postgresStore } from "../store/postgres.ts";
import { memoryStore } from "../store/memory.ts";
import type { ItemRow } from "../store/rows.ts";
import { randomOf } from "./channels/fuzz.fixture.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { echoReactor, echoThread, memoryChannel } from "./runtime.fixture.ts";

const databaseUrl = process.env["DATABASE_URL"];
const ROUNDS = process.env["HEBRA_SOAK"] === "1" ? 20 : 2;
const CHATS = 20;
const MESSAGES = 150;
const PATIENCE = 120_000;
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const textOf = ({ content }: ItemRow): string =>
  content.map((part) => (part.kind === "text" ? part.text : "")).join("");

describe.skipIf(databaseUrl === undefined || withoutRedisServer !== undefined)("what was accepted is stored", () => {
  test.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    "round %i: Redis loses all its data under load, and no accepted message and no reply is lost or doubled [BU-9]",
    { timeout: 2 * PATIENCE },
    async (round) => {
      const random = randomOf(20_261_130 + round);
      const schema = `intake_${process.pid}_${round}`;
      const server = await startRedis();
      const admin = new Redis(server.url);
      const pool = new pg.Pool({ connectionString: databaseUrl });
      const runtimes: Runtime[] = [];
      const closers: (() => Promise<void>)[] = [];
      try {
        const migrations = await postgresMigrations({ connectionString: databaseUrl!, schema });
        await migrations.apply();
        await migrations.close();
        const ran: string[] = [];
        const reactor = echoReactor(async (said) => {
          ran.push(said);
          await wait(random() * 20);
        });
        const open = async (): Promise<Runtime> => {
          const bus = redisBus({ url: server.url, leaseMs: 2_000 }) as Bus;
          const locks = redisLocks({ url: server.url });
          const store = await postgresStore({ connectionString: databaseUrl!, schema, poolSize: 4 });
          closers.push(
            () => bus.close(),
            () => locks.close(),
            () => store.close(),
          );
          const runtime = createRuntime({
            threads: [echoThread(reactor)],
            store,
            bus,
            locks,
            workers: 2,
            sweepMs: 500,
            leaseTtlMs: 2_000,
          });
          runtimes.push(runtime);
          return runtime;
        };
        const channel = memoryChannel("memory", () => wait(random() * 5));
        const gateway = await open();
        await gateway.gateway({ channels: [channel], embeddedWorker: false });
        for (let worker = 0; worker < 2; worker++) (await open()).worker({ concurrency: 8 });

        const accepted: string[] = [];
        /** Says it again until it is accepted, as a client does. */
        const say = async (chat: number, n: number): Promise<void> => {
          const text = `${chat}/${n}`;
          for (;;) {
            try {
              await channel.publish({ id: `${n}`, chat: `${chat}`, text });
              accepted.push(text);
              return;
            } catch {
              await wait(20);
            }
          }
        };
        const flushAt = Math.floor(random() * MESSAGES);
        let flushed: Promise<unknown> | undefined;
        const talking = Array.from({ length: CHATS }, async (_, chat) => {
          for (let n = chat; n < MESSAGES; n += CHATS) {
            await say(chat, n);
            if (accepted.length >= flushAt) flushed ??= admin.flushall();
            await wait(random() * 30);
          }
        });
        await Promise.all(talking);
        await flushed;
        assert.equal(accepted.length, MESSAGES);

        const answered = () => new Set(channel.replies.map(({ text }) => text)).size;
        await eventually(() => answered() === MESSAGES, "every accepted message was answered", PATIENCE).catch(
          (error: unknown) => {
            const known = new Set(channel.replies.map(({ text }) => text));
            const missing = accepted.filter((text) => !known.has(`echo: ${text}`));
            throw new Error(
              `${String(error)} Missing: ${missing.join(", ")}; ran: ${missing.filter((text) => ran.includes(text)).join(", ")}`,
            );
          },
        );
        // Whatever would come twice has the time to: several sweeps find rows that nobody marked.
        await wait(3_000);
        assert.equal(channel.replies.length, MESSAGES, "a reply came twice");
        for (let chat = 0; chat < CHATS; chat++) {
          const items = await gateway.engine.history({ key: `memory:${chat}` }, { items: 100 });
          assert.deepEqual(
            items.filter(({ item }) => item.kind === "trigger").map(({ item }) => textOf(item)),
            Array.from({ length: Math.ceil((MESSAGES - chat) / CHATS) }, (_, n) => `${chat}/${chat + n * CHATS}`),
            `the order of chat ${chat}`,
          );
        }
        const { rows } = await pool.query(
          `SELECT count(*)::int AS turns FROM ${schema}.thread_executions WHERE status = 'completed'`,
        );
        assert.deepEqual(rows, [{ turns: MESSAGES }]);
      } finally {
        await Promise.all(runtimes.map((runtime) => runtime.close()));
        await Promise.all(closers.map((close) => close().catch(() => undefined)));
        admin.disconnect();
        await server.stop();
        await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await pool.end();
      }
    },
  );
});

test("storing what comes in needs a store that outlives the process [BU-9]", () => {
  assert.throws(() => createRuntime({ threads: [echoThread()], store: memoryStore(), intake: "store" }), {
    code: "UNSUPPORTED",
  });
});
