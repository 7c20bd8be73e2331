import { assertPeer, loadPeer } from "@hebra/core";
import * as z from "zod";

const peer = { name: "ioredis", range: "^5.0.0 || ^6.0.0", neededBy: "@hebra/flags/redis" };

/** Where the server is: exactly one of these. */
export interface RedisConnection {
  /** `redis://` or `rediss://`, with user, password and database if need be. */
  readonly url?: string;
  /** Options of an ioredis `Redis`, for all that a URL cannot say. */
  readonly connection?: Readonly<Record<string, unknown>>;
  /** An ioredis client of your own. It stays open. */
  readonly client?: IoredisClient;
}

/** What is used of an ioredis `Redis`, 5 or 6; iovalkey's is the same. */
export interface IoredisClient {
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  hdel(key: string, ...fields: string[]): Promise<number>;
  lrange(key: string, start: number, stop: number): Promise<string[]>;
  smembers(key: string): Promise<string[]>;
  get(key: string): Promise<string | null>;
  eval(source: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  duplicate(override?: Record<string, unknown>): IoredisClient;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "ready" | "close" | "end", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
  readonly status: string;
}

/** Fields of an options schema, for every adapter that takes a {@link RedisConnection}. @internal */
export const connectionShape = {
  url: z
    .string()
    .regex(/^rediss?:\/\//, "must begin with redis:// or rediss://")
    .optional(),
  connection: z.record(z.string(), z.unknown()).optional(),
  client: z
    .custom<IoredisClient>((value) => typeof (value as IoredisClient | null)?.hmget === "function", {
      message: "not an ioredis client",
    })
    .optional(),
};

/** @internal */
export const oneConnection = {
  check: (where: { [K in keyof typeof connectionShape]?: unknown }) =>
    [where.url, where.connection, where.client].filter((it) => it !== undefined).length === 1,
  message: "exactly one of `url`, `connection` and `client` is needed",
};

/** A connection that is opened at first use. */
export interface LazyRedis {
  open(): Promise<IoredisClient>;
  /**
   * Asks the server, within the time that a command may take. Throws what the client threw, an error that says so when
   * the time is over, or that it was closed.
   */
  ask<T>(work: (client: IoredisClient) => Promise<T>): Promise<T>;
  /** Resolves when no socket and no timer is left, except a client of the host's own. */
  close(): Promise<void>;
}

/**
 * Milliseconds that a closed connection may wait for its server's goodbye: a server that is gone must not keep the
 * process.
 */
export const DISCONNECT_MS = 50;

/** A command that waits for a lost server fails soon: flags are served from memory meanwhile. */
const resilience = {
  lazyConnect: true,
  maxRetriesPerRequest: 1,
  disconnectTimeout: DISCONNECT_MS,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500),
};

/**
 * Closes a client for good. Where the server is gone the client never says that it ended; its own timer has run then.
 */
export async function disconnect(client: IoredisClient): Promise<void> {
  if (client.status === "end") return;
  let over = () => {};
  const ended = new Promise<void>((resolve) => {
    client.on("end", resolve);
    const timer = setTimeout(resolve, DISCONNECT_MS + 10);
    over = () => clearTimeout(timer);
  });
  client.disconnect();
  await ended;
  over();
}

/** @throws HebraError `PEER_MISSING` */
export function lazyRedis(where: RedisConnection, commandTimeoutMs: number): LazyRedis {
  const own = where.client === undefined;
  if (own) assertPeer(peer, import.meta.url);
  /**
   * Rejects what is still waiting when this is closed: the client would keep it, and the process, until its time is
   * over.
   */
  const waiting = new Set<(error: Error) => void>();
  let opened: Promise<IoredisClient> | undefined =
    where.client === undefined ? undefined : Promise.resolve(where.client);
  const open = () =>
    (opened ??= loadPeer(peer, () => import("ioredis")).then(({ Redis }) => {
      const options = { ...resilience, ...where.connection };
      const made = (where.url === undefined
        ? new Redis(options)
        : new Redis(where.url, options)) as unknown as IoredisClient;
      // Failures reach the caller of a command; without a listener the client prints them too.
      made.on("error", () => {});
      return made;
    }));
  return {
    open,
    async ask(work) {
      const client = await open();
      let settle = () => {};
      const limit = new Promise<never>((_, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer within ${commandTimeoutMs} ms`)), commandTimeoutMs);
        waiting.add(reject);
        settle = () => {
          clearTimeout(timer);
          waiting.delete(reject);
        };
      });
      try {
        return await Promise.race([work(client), limit]);
      } finally {
        settle();
      }
    },
    async close() {
      for (const reject of waiting) reject(new Error("closed"));
      const client = own ? await opened?.catch(() => undefined) : undefined;
      if (client !== undefined) await disconnect(client);
    },
  };
}
