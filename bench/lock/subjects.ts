import { createRequire } from "node:module";
import { redisLocks } from "@hebra/lock/redis";
import { Redis } from "ioredis";
import { Mutex } from "redis-semaphore";

/** Takes a lock and resolves with what gives it back. */
export interface Subject {
  acquire(key: string): Promise<() => Promise<unknown>>;
  close(): Promise<void> | void;
}

const TTL_MS = 120_000;
const WAIT_MS = 60_000;
const COMPARE_AND_DELETE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/** redlock 4 ships no types. */
type Redlock = new (
  clients: unknown[],
  options: object,
) => { lock(resource: string, ttlMs: number): Promise<{ unlock(): Promise<unknown> }> };

/** `SET NX PX`, a compare-and-delete script, and a poll every 5 to 10 ms: no renewal, no fence, no order. */
function bare(url: string): Subject {
  const client = new Redis(url);
  client.defineCommand("compareAndDelete", { numberOfKeys: 1, lua: COMPARE_AND_DELETE });
  const { compareAndDelete } = client as unknown as { compareAndDelete(key: string, token: string): Promise<unknown> };
  let tokens = 0;
  return {
    async acquire(key) {
      const token = `${process.pid}:${++tokens}`;
      while ((await client.set(key, token, "PX", TTL_MS, "NX")) === null) {
        await new Promise((resolve) => setTimeout(resolve, 5 + 5 * Math.random()));
      }
      return () => compareAndDelete.call(client, key, token);
    },
    close: () => client.disconnect(),
  };
}

function hebra(url: string): Subject {
  const locks = redisLocks({ url, ttlMs: TTL_MS, waitMs: WAIT_MS });
  return {
    async acquire(key) {
      const lease = await locks.acquire(key);
      return () => lease.release();
    },
    close: () => locks.close(),
  };
}

function redlock(url: string): Subject {
  const client = new Redis(url);
  const Implementation = createRequire(import.meta.url)("redlock") as Redlock;
  const locks = new Implementation([client], { retryCount: -1, retryDelay: 7, retryJitter: 3 });
  return {
    async acquire(key) {
      const lock = await locks.lock(key, TTL_MS);
      return () => lock.unlock();
    },
    close: () => client.disconnect(),
  };
}

function semaphore(url: string): Subject {
  const client = new Redis(url);
  return {
    async acquire(key) {
      const mutex = new Mutex(client as never, key, { lockTimeout: TTL_MS, acquireTimeout: WAIT_MS, retryInterval: 7 });
      await mutex.acquire();
      return () => mutex.release();
    },
    close: () => client.disconnect(),
  };
}

/** Every subject against one server. */
export const subjects = {
  "@hebra/lock": hebra,
  "bare SET NX PX": bare,
  redlock,
  "redis-semaphore": semaphore,
} as const;

/** A subject's name. */
export type SubjectName = keyof typeof subjects;
