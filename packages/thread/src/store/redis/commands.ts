import { createRedisCalls, dropRedisConnections, type DroppableRedis } from "@hebra/core";
import { isWrongDatabase, wrapped } from "./errors.ts";

/** The few things that the store needs of a Redis client; any library can stand behind them. */
export interface RedisCommands {
  /** Sends one command. Replies are what Redis sends: strings for strings, numbers for integers, null for nothing. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  /**
   * `SUBSCRIBE` on a connection of its own, subscribed again by itself after a reconnection.
   *
   * @param onGap - messages may have been missed
   */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): Promise<void>;
  /**
   * Drops the connections and opens others, on which commands without an answer are sent again. Called when the server
   * was silent for 3 s, and when it is no longer the one to write to. Without it the client must do so by itself.
   */
  reconnect?(): void;
  /** Closes the connections that this object opened, not those it was given. */
  close(): Promise<void>;
}

/** What is used of an ioredis `Redis` or `Cluster`, 5 or 6. */
export interface IoredisClient extends DroppableRedis {
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  disconnect(): void;
  readonly status: string;
}

/** ioredis behind {@link RedisCommands}. An `owned` client is closed with it. */
export function ioredisCommands(client: IoredisClient, owned: boolean): RedisCommands {
  let subscriber: IoredisClient | undefined;
  let lastFailure: Error | undefined;
  if (owned) {
    // Failures reach the caller of a command; without a listener the client prints them too.
    client.on("error", (error) => {
      lastFailure = error;
      // The client would go on in database 0.
      if (isWrongDatabase(error)) client.disconnect();
    });
    client.on("ready", () => (lastFailure = undefined));
  }
  const calls = createRedisCalls({
    reconnect() {
      dropRedisConnections(client);
      if (subscriber !== undefined) dropRedisConnections(subscriber);
    },
    // The nodes of a cluster say by themselves where a slot has gone.
    role: client.isCluster === true ? undefined : askRole,
  });
  const subscription = createRedisCalls({
    reconnect: () => subscriber !== undefined && dropRedisConnections(subscriber),
  });
  function askRole(): Promise<unknown> {
    // Nobody sends on a subscription, so that its silence shows only when it is asked.
    const own = subscriber;
    if (own?.status === "ready") void subscription.run(() => own.ping()).catch(() => undefined);
    return client.call("ROLE");
  }
  return {
    async call(command, ...args) {
      try {
        return await calls.run(() => client.call(command, ...args));
      } catch (error) {
        throw wrapped(error, lastFailure);
      }
    },
    async subscribe(channel, onMessage, onGap) {
      const own = (subscriber = duplicate(client));
      // Without a listener the client prints each failed attempt; it goes on trying either way.
      own.on("error", () => {});
      own.on("message", (from, message) => {
        if (from === channel) onMessage(message);
      });
      // Subscribes after each reconnection here: ioredis would do it in a promise that nobody handles. A cluster's
      // client has no "ready" of each connection, and handles its own.
      const again = () => void own.subscribe(channel).then(onGap, () => undefined);
      own.on("ready", client.isCluster === true ? onGap : again);
      try {
        await own.subscribe(channel);
      } catch (error) {
        own.disconnect();
        throw wrapped(error);
      }
    },
    async close() {
      subscriber?.disconnect();
      if (owned) client.disconnect();
    },
  };
}

/** A second connection. It must not prefix its keys, as ioredis would prefix channels as well, and Redis does not. */
function duplicate(client: IoredisClient): IoredisClient {
  type Cluster = { duplicate(nodes?: unknown[], options?: object): IoredisClient };
  type Single = { duplicate(options?: object): IoredisClient };
  if (client.isCluster === true)
    return (client as unknown as Cluster).duplicate(undefined, { keyPrefix: "", lazyConnect: false });
  return (client as unknown as Single).duplicate({
    keyPrefix: "",
    lazyConnect: false,
    maxRetriesPerRequest: null,
    enableOfflineQueue: true,
    autoResubscribe: false,
  });
}

/** Commands of another library, with its errors as ours. */
export function otherCommands(commands: RedisCommands): RedisCommands {
  const calls = createRedisCalls({ reconnect: () => commands.reconnect?.() });
  return {
    async call(command, ...args) {
      try {
        return await calls.run(() => commands.call(command, ...args));
      } catch (error) {
        throw wrapped(error);
      }
    },
    subscribe: async (channel, onMessage, onGap) => commands.subscribe(channel, onMessage, onGap),
    close: () => commands.close(),
  };
}
