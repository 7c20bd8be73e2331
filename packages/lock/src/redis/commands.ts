import { dropRedisConnections } from "@hebra/core";

/**
 * The few commands that the Redis adapter needs of a client. Any client library can stand behind them: each call maps
 * to
 * one of its own. Replies are what Redis sends: strings for strings, numbers for integers.
 */
export interface RedisCommands {
  /** `EVALSHA`. In a cluster, goes to the node of the keys, which share a slot. */
  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** `EVAL`, likewise. */
  eval(source: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /**
   * `SUBSCRIBE` on a connection of its own, subscribed again by itself after a reconnection. Resolves when messages
   * flow; called again only after it rejected.
   */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<void>;
  /**
   * Drops the connections and opens others, on which commands without an answer are sent again. Called when the server
   * was silent for 3 s or a request's limit, and when it is no longer the one to write to. Without it the client
   * must do so by itself.
   */
  reconnect?(): void;
  /** Closes the connections that this object opened, not those it was given. Pending commands reject. */
  close(): Promise<void>;
}

/** What is used of an ioredis `Redis` or `Cluster`, 5 or 6; iovalkey's are the same. */
export interface IoredisClient {
  evalsha(sha1: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  eval(source: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
  readonly isCluster?: boolean;
  readonly status: string;
  /** The socket, where there is one. */
  readonly stream?: { cork?(): void; uncork?(): void; destroy?(): unknown };
}

/**
 * Commands that leave in one write. More, and the server would have nothing to do while they are made, and this process
 * nothing while it works.
 */
const COMMANDS_A_WRITE = 16;

/** Milliseconds between two replacements of a connection: several commands may ask for the same one. */
const RECONNECT_EVERY_MS = 100;

/** ioredis behind {@link RedisCommands}. `owned` clients are closed with it. */
export function ioredisCommands(client: IoredisClient, owned: boolean): RedisCommands {
  let subscriber: IoredisClient | undefined;
  let gathered = 0;
  let reconnectedAt = -Infinity;

  /**
   * Lets the commands of one turn of the event loop leave together, which saves both sides most of their system calls.
   */
  function cork(): void {
    const { stream } = client;
    if (stream?.cork === undefined) return;
    if (gathered++ > 0) {
      if (gathered % COMMANDS_A_WRITE !== 0) return;
      stream.uncork?.();
      stream.cork();
      return;
    }
    stream.cork();
    // After the promises that the last answers resolved, before anything else.
    process.nextTick(() => {
      gathered = 0;
      stream.uncork?.();
    });
  }

  return {
    evalsha(sha1, keys, args) {
      cork();
      return client.evalsha(sha1, keys.length, ...keys, ...args);
    },
    eval: (source, keys, args) => client.eval(source, keys.length, ...keys, ...args),
    async subscribe(channel, onMessage) {
      subscriber = duplicate(client);
      // Without a listener the client prints each failed attempt; it goes on trying either way.
      subscriber.on("error", () => {});
      subscriber.on("message", (from, message) => {
        if (from === channel) onMessage(message);
      });
      try {
        await subscriber.subscribe(channel);
      } catch (error) {
        subscriber.disconnect();
        throw error;
      }
    },
    reconnect() {
      const now = performance.now();
      if (now - reconnectedAt < RECONNECT_EVERY_MS) return;
      reconnectedAt = now;
      dropRedisConnections(client);
      if (subscriber !== undefined) dropRedisConnections(subscriber);
    },
    async close() {
      subscriber?.disconnect();
      if (owned) client.disconnect();
    },
  };
}

/** A second connection. It must not prefix its keys, as ioredis would prefix channels as well, and Redis does not. */
function duplicate(client: IoredisClient): IoredisClient {
  const own = { keyPrefix: "", lazyConnect: false, maxRetriesPerRequest: null, enableOfflineQueue: true };
  type Cluster = { duplicate(nodes?: unknown[], options?: object): IoredisClient };
  type Single = { duplicate(options?: object): IoredisClient };
  if (client.isCluster === true)
    return (client as unknown as Cluster).duplicate(undefined, { keyPrefix: "", lazyConnect: false });
  return (client as unknown as Single).duplicate(own);
}
