import { dropRedisConnections } from "@hebra/core";

/** A connection that may wait inside a command; it has one pending at a time. */
export interface BlockingConnection {
  /** `BZPOPMIN`. @returns key, member and score; `undefined` after the time */
  popMin(keys: readonly string[], seconds: number): Promise<[string, string, string] | undefined>;
  /** Ends the connection at once; a pending command may never settle. */
  close(): void;
}

/** A connection for publishing that waits for replicas or the disk. */
export interface WaitingConnection {
  /**
   * Runs a script once for each list of arguments, and then `WAIT` or `WAITAOF`.
   *
   * @returns the replies of the script, and the numbers of the wait
   */
  run(
    source: string,
    key: string,
    calls: readonly (readonly string[])[],
    wait: readonly string[],
  ): Promise<[unknown[], number[]]>;
  close(): void;
}

/**
 * The few commands that the Redis adapter needs of a client. Any client library can stand behind them. Replies are what
 * Redis sends over RESP2: strings, integers, arrays, null.
 */
export interface RedisCommands {
  /** `EVALSHA` with one key. In a cluster, goes to the node of that key. */
  evalsha(sha1: string, key: string, args: readonly string[]): Promise<unknown>;
  /** `EVAL`, likewise. */
  eval(source: string, key: string, args: readonly string[]): Promise<unknown>;
  /** Any other command whose first argument is its key. */
  call(command: string, key: string, ...args: string[]): Promise<unknown>;
  /** The server's version, e.g. `7.0.15`. */
  version(): Promise<string>;
  /** How many masters share the slots; 1 without a cluster. */
  masters(): Promise<number>;
  /** A further connection, for commands that wait. In a cluster it reaches the node of the key that it is asked for. */
  blocking(): BlockingConnection;
  /**
   * A further connection on which calls of a script are followed by one `WAIT` or `WAITAOF`, so that nobody else waits
   * for a replica.
   */
  waiting(): WaitingConnection;
  /**
   * Drops the command connection and opens another, on which commands without an answer are sent again. Called when it
   * was silent for 3 s or a request's limit, and when the server is no longer the one to write to. Without it the
   * client must do so by itself.
   */
  reconnect?(): void;
  /** Closes the connections that this object opened, not those it was given. Pending commands reject or stay silent. */
  close(): Promise<void>;
}

/** What is used of an ioredis `Redis` or `Cluster`, 5 or 6; iovalkey's are the same. */
export interface IoredisClient {
  evalsha(sha1: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  eval(source: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  info(section: string): Promise<string>;
  bzpopmin(...keysAndTimeout: (string | number)[]): Promise<[string, string, string] | null>;
  pipeline(): IoredisPipeline;
  on(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: { readonly keyPrefix?: string | undefined };
  /** The socket, where there is one. */
  readonly stream?: { cork?(): void; uncork?(): void; destroy?(): unknown };
}

interface IoredisPipeline {
  eval(source: string, keyCount: number, ...keysAndArgs: string[]): IoredisPipeline;
  call(command: string, ...args: string[]): IoredisPipeline;
  exec(): Promise<[Error | null, unknown][] | null>;
}

interface Duplicates {
  duplicate(optionsOrNodes?: unknown, options?: object): IoredisClient;
}

interface ClusterClient {
  nodes(role: "master"): IoredisClient[];
}

/**
 * A second client with the same destination. It gives up a command as soon as its connection is lost: sent again, it
 * would
 * wait on although what it should have heard was told to the old connection.
 */
function duplicate(client: IoredisClient): IoredisClient {
  const own = { lazyConnect: false, maxRetriesPerRequest: 0, enableOfflineQueue: true };
  const copy =
    client.isCluster === true
      ? (client as unknown as Duplicates).duplicate([], { redisOptions: { maxRetriesPerRequest: 0 } })
      : (client as unknown as Duplicates).duplicate(own);
  // Without a listener the client prints each failed attempt; it goes on trying either way.
  copy.on("error", () => {});
  return copy;
}

/** Milliseconds between two replacements of a connection: several commands may ask for the same one. */
const RECONNECT_EVERY_MS = 100;

/** ioredis behind {@link RedisCommands}. An `owned` client is closed with it. */
export function ioredisCommands(client: IoredisClient, owned: boolean): RedisCommands {
  let corked = false;
  let reconnectedAt = -Infinity;

  /**
   * Lets the commands of one turn of the event loop leave together: a write that wakes a sleeping server takes longer
   * than all else in the turn.
   */
  const cork = () => {
    const { stream } = client;
    if (corked || stream?.cork === undefined) return;
    corked = true;
    stream.cork();
    // After the promises of this turn, a handler that got its message among them.
    process.nextTick(() => {
      corked = false;
      stream.uncork?.();
    });
  };

  const node = () =>
    client.isCluster === true ? ((client as unknown as ClusterClient).nodes("master")[0] ?? client) : client;
  return {
    evalsha(sha1, key, args) {
      cork();
      return client.evalsha(sha1, 1, key, ...args);
    },
    eval: (source, key, args) => client.eval(source, 1, key, ...args),
    call(command, key, ...args) {
      cork();
      return client.call(command, key, ...args);
    },
    version: async () => /redis_version:([\d.]+)/.exec(await node().info("server"))?.[1] ?? "0",
    async masters() {
      if (client.isCluster !== true) return 1;
      await client.call("EXISTS", "hebra");
      return (client as unknown as ClusterClient).nodes("master").length;
    },
    blocking() {
      const copy = duplicate(client);
      return {
        popMin: async (keys, seconds) => (await copy.bzpopmin(...keys, seconds)) ?? undefined,
        close: () => copy.disconnect(),
      };
    },
    waiting() {
      const copy = duplicate(client);
      return {
        async run(source, key, calls, [wait, ...waitArgs]) {
          const pipeline = copy.pipeline();
          for (const args of calls) pipeline.eval(source, 1, key, ...args);
          const results = (await pipeline.call(wait!, ...waitArgs).exec()) as [Error | null, unknown][];
          for (const [error] of results) if (error !== null) throw error;
          const replies = results.map(([, reply]) => reply);
          return [replies, [replies.pop()].flat().map(Number)];
        },
        close: () => copy.disconnect(),
      };
    },
    reconnect() {
      const now = performance.now();
      if (now - reconnectedAt < RECONNECT_EVERY_MS) return;
      reconnectedAt = now;
      dropRedisConnections(client);
    },
    async close() {
      if (owned) client.disconnect();
    },
  };
}
