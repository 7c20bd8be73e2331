import { assertPeer, createRedisCalls, dropRedisConnections, loadPeer, type DroppableRedis } from "@hebra/core";
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
export interface IoredisClient extends DroppableRedis {
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  hdel(key: string, ...fields: string[]): Promise<number>;
  lrange(key: string, start: number, stop: number): Promise<string[]>;
  smembers(key: string): Promise<string[]>;
  get(key: string): Promise<string | null>;
  eval(source: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  ping(): Promise<unknown>;
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

/** What a subscription calls back. */
export interface Listeners {
  readonly onMessage: (message: string) => void;
  /** Messages may have been missed. */
  readonly onGap: () => void;
}

/** A connection that is opened at first use. */
export interface LazyRedis {
  /**
   * Asks the server, within the time that a command may take. Throws what the client threw, an error that says so when
   * the time is over, or that it was closed. Connections that stay silent for that time, at most 3 s, are replaced, and
   * so are those to a server that was demoted or is loading: `work` is then done again.
   */
  ask<T>(work: (client: IoredisClient) => Promise<T>): Promise<T>;
  /**
   * Opens a connection that listens to a channel. While it is open, both connections are asked each second whether they
   * still live and lead to a master. It is closed with the others.
   */
  listen(channel: string, listeners: Listeners): Promise<void>;
  /** Resolves when no socket and no timer is left, except a client of the host's own. */
  close(): Promise<void>;
}

/**
 * Milliseconds that a closed connection may wait for its server's goodbye: a server that is gone must not keep the
 * process.
 */
const DISCONNECT_MS = 50;

/** Milliseconds of silence after which connections are replaced, where commands may take longer. */
const SILENCE_MS = 3_000;

/** Milliseconds between two looks at the connections of one who listens. */
const LOOK_MS = 1_000;

/** A command that waits for a lost server fails soon: flags are served from memory meanwhile. */
const resilience = {
  lazyConnect: true,
  connectTimeout: 4_000,
  maxRetriesPerRequest: 1,
  disconnectTimeout: DISCONNECT_MS,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500),
};

/** A connection that listens waits for ever, and its channels are not prefixed. */
const listening = {
  lazyConnect: true,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  disconnectTimeout: DISCONNECT_MS,
  keyPrefix: "",
  autoResubscribe: true,
};

/**
 * Closes a client for good. Where the server is gone the client never says that it ended; its own timer has run then.
 */
async function disconnect(client: IoredisClient): Promise<void> {
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
  let client: IoredisClient | undefined;
  let subscriber: IoredisClient | undefined;
  let stopLooking = () => {};
  let closed = false;
  const drop = (one: IoredisClient | undefined) => one !== undefined && dropRedisConnections(one);
  const silenceMs = Math.min(commandTimeoutMs, SILENCE_MS);
  const calls = createRedisCalls({
    silenceMs,
    reconnect: () => [client, subscriber].forEach(drop),
    role: async () => (client?.isCluster === true ? undefined : client?.call("ROLE")),
  });
  const subscription = createRedisCalls({ silenceMs, reconnect: () => drop(subscriber) });

  function look(): void {
    if (client?.status === "ready") void calls.checkRole();
    const heard = subscriber;
    if (heard?.status === "ready") void subscription.run(() => heard.ping()).catch(() => undefined);
  }

  return {
    async ask(work) {
      const using = (client = await open());
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
        return await Promise.race([calls.run(() => work(using)), limit]);
      } finally {
        settle();
      }
    },
    async listen(channel, { onMessage, onGap }) {
      client = await open();
      if (closed) return;
      const made = (subscriber = client.duplicate(listening));
      made.on("error", () => {});
      made.on("message", (_, message) => onMessage(message));
      // Messages that were sent while the connection was down are lost.
      made.on("ready", onGap);
      made.on("close", onGap);
      made.subscribe(channel).catch(() => {});
      const timer = setInterval(look, LOOK_MS);
      timer.unref();
      stopLooking = () => clearInterval(timer);
    },
    async close() {
      closed = true;
      stopLooking();
      for (const reject of waiting) reject(new Error("closed"));
      if (subscriber !== undefined) await disconnect(subscriber);
      const mine = own ? await opened?.catch(() => undefined) : undefined;
      if (mine !== undefined) await disconnect(mine);
    },
  };
}
