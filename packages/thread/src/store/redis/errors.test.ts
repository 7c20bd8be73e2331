import { HebraError } from "@hebra/core";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beginQueued, turnIds } from "../contract/rows.ts";
import { redisStore, type RedisStoreOptions } from "../redis.ts";
import { wrapped } from "./errors.ts";

/** Real servers are started, on a machine that may be busy. In milliseconds. */
const PATIENCE = 60_000;
const ids = turnIds("award_42", "m1");

interface Fault {
  says: RegExp;
  code: string;
  retryable: boolean;
  options: () => RedisStoreOptions;
  before?: () => Promise<unknown>;
  after?: () => Promise<unknown>;
}

describe.skipIf(withoutRedisServer !== undefined)("a fault of Redis", () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
    await server.admin.call("ACL", "SETUSER", "locked", "on", ">right", "~*", "&*", "+@all");
    await server.admin.call("ACL", "SETUSER", "poor", "on", "nopass", "~nothing:*", "+@all");
  }, PATIENCE);
  afterAll(() => server.stop());
  const config = (name: string, value: string) => server.admin.call("CONFIG", "SET", name, value);
  const at = (user: string, path = "") => `redis://${user}@127.0.0.1:${server.port}${path}`;
  const plain = () => ({ url: server.url });

  const faults: Record<string, Fault> = {
    "NOAUTH, no password where one is needed": {
      says: /Redis refused the login/,
      code: "STORE_FAILED",
      retryable: false,
      options: plain,
      before: () => server.admin.call("ACL", "SETUSER", "default", "resetpass", ">secret"),
      after: () => server.admin.call("ACL", "SETUSER", "default", "nopass"),
    },
    "WRONGPASS, a wrong password": {
      says: /Redis refused the login/,
      code: "STORE_FAILED",
      retryable: false,
      options: () => ({ url: at("locked:wrong") }),
    },
    "NOPERM, a missing right": {
      says: /lacks a right in Redis/,
      code: "STORE_FAILED",
      retryable: false,
      options: () => ({ url: at("poor:x") }),
    },
    "READONLY, a replica": {
      says: /this is a replica/,
      code: "UNREACHABLE",
      retryable: true,
      options: plain,
      before: () => server.admin.call("REPLICAOF", "127.0.0.1", "1"),
      after: () => server.admin.call("REPLICAOF", "NO", "ONE"),
    },
    "OOM, no memory left": {
      says: /maxmemory/,
      code: "STORE_FAILED",
      retryable: true,
      options: plain,
      before: () => config("maxmemory", "1"),
      after: () => config("maxmemory", "0"),
    },
    "WRONGTYPE, a key that is another's": {
      says: /Choose another `namespace`/,
      code: "STORE_FAILED",
      retryable: false,
      options: () => ({ ...plain(), namespace: "taken" }),
      before: () => server.admin.set("taken:contexts", "not a sorted set"),
    },
    "a database that is not there": {
      says: /no database of that number/,
      code: "STORE_FAILED",
      retryable: false,
      options: () => ({ url: `${server.url}/99` }),
    },
    "ECONNREFUSED, nobody at the port": {
      says: /Redis could not be reached/,
      code: "UNREACHABLE",
      retryable: true,
      options: () => ({ url: "redis://127.0.0.1:1" }),
    },
    "a port that cannot exist": {
      says: /99999 is no port/,
      code: "INVALID_OPTIONS",
      retryable: false,
      options: () => ({ url: "redis://user:hunter2@127.0.0.1:99999" }),
    },
  };

  for (const [fault, { says, code, retryable, options, before, after }] of Object.entries(faults)) {
    test(
      `${fault}: ${code}, ${retryable ? "worth repeating" : "permanent"} [EN-11]`,
      { timeout: PATIENCE },
      async () => {
        await before?.();
        try {
          const error = await redisStore(options()).then(
            async (store) => {
              try {
                return await store.begin("t", beginQueued(ids)).catch((thrown: unknown) => thrown);
              } finally {
                await store.close();
              }
            },
            (thrown: unknown) => thrown,
          );
          expect(error).toBeInstanceOf(HebraError);
          expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) as string });
          expect(JSON.stringify(error)).not.toMatch(/wrong|hunter2|secret/);
        } finally {
          await after?.();
        }
      },
    );
  }

  test("another library's errors become ours, too [EN-11]", { timeout: PATIENCE }, async () => {
    const client = new Redis(server.url);
    const store = await redisStore({
      client: {
        call: (command, ...args) => client.call(command, ...args),
        subscribe: async () => undefined,
        close: async () => undefined,
      },
    });
    await config("maxmemory", "1");
    try {
      await expect(store.begin("t", beginQueued(turnIds("other", "m1")))).rejects.toMatchObject({
        code: "STORE_FAILED",
        retryable: true,
      });
    } finally {
      await config("maxmemory", "0");
      client.disconnect();
    }
  });
});

describe("answers that no server here gives on demand", () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });
  test.each([
    ["LOADING Redis is loading the dataset in memory", "UNREACHABLE", true],
    ["MASTERDOWN Link with MASTER is down", "UNREACHABLE", true],
    ["CLUSTERDOWN The cluster is down", "UNREACHABLE", true],
    ["TRYAGAIN Multiple keys request during rehashing of slot", "UNREACHABLE", true],
    ["NOREPLICAS Not enough good replicas to write.", "UNREACHABLE", true],
    ["BUSY Redis is busy running a script.", "STORE_BUSY", true],
    ["MISCONF Redis is configured to save RDB snapshots", "STORE_FAILED", true],
    ["ERR max number of clients reached", "STORE_FAILED", true],
    ["MOVED 3999 127.0.0.1:6381", "STORE_FAILED", false],
    ["CROSSSLOT Keys in request don't hash to the same slot", "STORE_FAILED", false],
    ["ERR unknown command 'EVALSHA'", "STORE_FAILED", false],
  ])("%s is %s, worth repeating: %s [EN-11]", (message, code, retryable) => {
    expect(wrapped(reply(message))).toMatchObject({ code, retryable });
  });
});
