import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { HebraError } from "@hebra/core";
import { redisBus, type RedisBus } from "@hebra/bus/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hebra, workbench } from "./testing/spawn.fixture.ts";

const TIME = 120_000;
const bench = workbench();
afterAll(() => bench.close());

describe.skipIf(withoutRedisServer !== undefined)("queues over Redis", () => {
  let redis: TestRedis;
  let bus: RedisBus;
  let config: string;
  let count = 0;
  beforeAll(async () => {
    redis = await startRedis(["--user", "app", "on", ">s3cr3t-pass", "~*", "&*", "+@all"]);
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const namespace = `queues${process.pid}.${++count}`;
    const url = `redis://app:s3cr3t-pass@127.0.0.1:${redis.port}`;
    config = bench.config({
      bus: { backend: "redis", url, namespace },
      locks: { backend: "redis", url },
      store: { backend: "memory" },
    });
    bus = redisBus({ url, namespace });
    await bus.ready();
    return () => bus.close();
  });

  async function run(...args: string[]) {
    const spawned = hebra([...args, "--config", config]);
    const { code } = await spawned.exit;
    expect(spawned.out() + spawned.err()).not.toContain("s3cr3t-pass");
    return { code, out: spawned.out(), err: spawned.err() };
  }
  /** Gives up as many messages as there are texts. */
  async function bury(...texts: string[]) {
    await bus.publishInbound(texts.map((text) => ({ session: "a", id: text, payload: { text, password: "hunter2" } })));
    const inbox = bus.consumeInbound();
    for (let n = 0; n < texts.length; n++) {
      const { value } = await inbox.next();
      await value.nack({ error: new HebraError("SERVER_REFUSED", "No, Authorization: Bearer abcdef123456.") });
    }
    await inbox.return!();
  }

  it(
    "tells figures, for people and for machines",
    async () => {
      await bus.publishInbound([
        { session: "a", payload: 1 },
        { session: "a", payload: 2 },
        { session: "b", payload: 3, id: "later", delayMs: 60_000 },
      ]);
      const plain = await run("stats");
      expect(plain).toMatchObject({ code: 0, err: "" });
      expect(plain.out).toMatch(
        /^inbound {3}depth 2 {2}oldest \d+\.\d s {2}waiting \d+\.\d s {2}in flight 0 {2}delayed 0 {2}parked 0 {2}scheduled 1\noutbound {2}depth 0/,
      );
      expect(JSON.parse((await run("stats", "--json")).out)).toMatchObject({
        inbound: { depth: 2, scheduled: 1 },
        outbound: { depth: 0 },
        dead: 0,
      });
    },
    TIME,
  );

  it(
    "waits for an empty bus: 0 when it is, 6 and what is left when the time is over",
    async () => {
      await bus.publishInbound({ session: "a", payload: 1 });
      const late = await run("drain", "--deadline", "300", "--json");
      expect(late.code).toBe(6);
      expect(JSON.parse(late.out)).toMatchObject({ empty: false, stats: { inbound: { depth: 1 } } });
      const waiting = run("drain", "--deadline", "60000");
      for await (const delivery of bus.consumeInbound()) {
        await delivery.ack();
        break;
      }
      const done = await waiting;
      expect([done.code, done.err]).toEqual([0, ""]);
      expect(done.out).toMatch(/^empty after \d+ ms\n$/);
    },
    TIME,
  );

  it(
    "lists, shows, replays and discards dead letters, by words and by options",
    async () => {
      await bury("one", "two", "three");
      const listed = JSON.parse((await run("dead-letters", "list", "--limit", "2", "--json")).out) as {
        letters: { id: string; messageId: string }[];
        cursor: string;
      };
      expect(listed.letters.map(({ messageId }) => messageId)).toEqual(["three", "two"]);
      const rest = await run("dead-letters", "--before", listed.cursor);
      expect(rest.out).toMatch(/^\S+ {2}\S+Z {2}inbound {2}default\/a {2}permanent after 1 {2}SERVER_REFUSED\n$/);
      const [three, two] = listed.letters.map(({ id }) => id);

      const shown = await run("dead-letters", "show", three!);
      expect(JSON.parse(shown.out)).toMatchObject({ id: three, session: "a", cause: "permanent" });
      // What the error said is kept without its secrets.
      expect(shown.out).not.toContain("abcdef123456");
      expect((await run("dead-letters", "--show", "0-dlq-1-1")).err).toMatch(
        /^INVALID_OPTIONS: There is no dead letter 0-dlq-1-1/,
      );

      expect(await run("dead-letters", "replay", two!, "0-dlq-1-1")).toMatchObject({
        code: 2,
        out: `replayed ${two}\nthere is no dead letter 0-dlq-1-1\n`,
      });
      expect((await bus.stats()).inbound.depth).toBe(1);
      expect(JSON.parse((await run("dead-letters", "--discard", three!, "--json")).out)).toEqual({
        id: three,
        done: "discarded",
        ids: [three],
        unknown: [],
      });
      expect((await bus.deadLetters.list()).letters.map(({ messageId }) => messageId)).toEqual(["one"]);
    },
    TIME,
  );

  it(
    "shows tenant, conversation and error code of others escaped, as text and as JSON [SE-7]",
    async () => {
      const evil = "\u001b[2J\u001b]0;pwned\u0007\u009b1m\u202e\nok";
      await bus.publishInbound([{ session: evil, tenant: `t${evil}`, id: "one", payload: { text: evil } }]);
      const inbox = bus.consumeInbound();
      const { value } = await inbox.next();
      await value.nack({ error: new HebraError("SERVER_REFUSED", evil) });
      await inbox.return!();
      const listed = JSON.parse((await run("dead-letters", "--json")).out) as {
        letters: [{ id: string; session: string }];
      };
      expect(listed.letters[0].session).toBe(evil);
      for (const args of [
        ["dead-letters"],
        ["dead-letters", "--json"],
        ["dead-letters", "show", listed.letters[0].id],
      ]) {
        const { code, out } = await run(...args);
        expect([code, args]).toEqual([0, args]);
        expect(out).toContain("\\u001b]0;pwned\\u0007\\u009b1m\\u202e\\nok");
        expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }
      expect((await run("dead-letters")).out.trim().split("\n")).toHaveLength(1);
      const unknown = await run("dead-letters", "show", "x\u001b[31m");
      expect(unknown.err).toContain("x\\u001b[31m");
    },
    TIME,
  );

  it(
    "says with 8 that a server is away, and never how it is spoken to",
    async () => {
      const url = "redis://app:s3cr3t-pass@127.0.0.1:1";
      config = bench.config(
        { bus: { backend: "redis", url }, locks: { backend: "redis", url }, store: { backend: "memory" } },
        "away.json",
      );
      const away = await run("stats");
      expect([away.code, away.out]).toEqual([8, ""]);
      expect(away.err).toMatch(/^UNREACHABLE: /);
      expect(JSON.parse((await run("dead-letters", "--json")).out)).toMatchObject({ ok: false, code: "UNREACHABLE" });
    },
    TIME,
  );
});
