import { assertPeer, loadPeer } from "@hebra/core";
import { z } from "zod";

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
  on(event: "ready" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

/** Fields of an options schema, for every adapter that takes a {@link RedisConnection}. @internal */
export const connectionShape = {
  url: z.string().regex(/^rediss?:\/\//, "must begin with redis:// or rediss://").optional(),
  connection: z.record(z.string(), z.unknown()).optional(),
  client: z.custom<IoredisClient>((value) => typeof (value as IoredisClient | null)?.hmget === "function", { message: "not an ioredis client" }).optional(),
};

/** @internal */
export const oneConnection = {
  check: (where: { [K in keyof typeof connectionShape]?: unknown }) => [where.url, where.connection, where.client].filter((it) => it !== undefined).length === 1,
  message: "exactly one of `url`, `connection` and `client` is needed",
};

/** A connection that is opened at first use. */
export interface LazyRedis {
  open(): Promise<IoredisClient>;
  close(): Promise<void>;
}

/** Milliseconds that a closed connection may wait for its server's goodbye: a server that is gone must not keep the process. */
export const DISCONNECT_MS = 50;

/** A command that waits for a lost server fails soon: flags are served from memory meanwhile. */
const resilience = { lazyConnect: true, maxRetriesPerRequest: 1, disconnectTimeout: DISCONNECT_MS, retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500) };

/** @throws HebraError `PEER_MISSING` */
export function lazyRedis(where: RedisConnection, commandTimeoutMs: number): LazyRedis {
  const { client } = where;
  if (client !== undefined) return { open: () => Promise.resolve(client), close: () => Promise.resolve() };
  assertPeer(peer, import.meta.url);
  let opened: Promise<IoredisClient> | undefined;
  return {
    open: () =>
      (opened ??= loadPeer(peer, () => import("ioredis")).then(({ Redis }) => {
        const options = { ...resilience, commandTimeout: commandTimeoutMs, ...where.connection };
        const made = (where.url === undefined ? new Redis(options) : new Redis(where.url, options)) as unknown as IoredisClient;
        // Failures reach the caller of a command; without a listener the client prints them too.
        made.on("error", () => {});
        return made;
      })),
    close: async () => (await opened?.catch(() => undefined))?.disconnect(),
  };
}
