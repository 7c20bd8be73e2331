import { assertPeer, loadPeer } from "@hebra/core";
import { ioredisCommands, type IoredisClient, type RedisCommands } from "./commands.ts";

const peer = { name: "ioredis", range: "^5.0.0 || ^6.0.0", neededBy: "@hebra/lock/redis" };

/** Where the server is: exactly one of these. */
export interface RedisConnection {
  /** `redis://` or `rediss://`, with user, password and database if need be. */
  url?: string;
  /** Options of an ioredis `Redis`, for all that a URL cannot say: sentinels, TLS. */
  connection?: Readonly<Record<string, unknown>>;
  /** A Redis Cluster: some of its nodes, as URLs or as ioredis takes them, and the options of an ioredis `Cluster`. */
  cluster?: {
    nodes: readonly (string | { host: string; port: number })[];
    options?: Readonly<Record<string, unknown>>;
  };
  /**
   * A client of your own: an ioredis `Redis` or `Cluster`, or any other behind {@link RedisCommands}. It stays open.
   */
  client?: IoredisClient | RedisCommands;
}

/** Gives up a command after a few attempts, so that a caller hears of a lost server; goes on reconnecting for ever. */
const resilience = {
  lazyConnect: true,
  maxRetriesPerRequest: 2,
  connectTimeout: 4_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500),
};

interface Ioredis {
  Redis: new (...args: unknown[]) => IoredisClient;
  Cluster: new (nodes: readonly unknown[], options: object) => IoredisClient;
}

const isCommands = (client: IoredisClient | RedisCommands): client is RedisCommands => !("status" in client);

/**
 * The commands of a connection. ioredis is looked for at once and loaded at first use.
 *
 * @throws HebraError `PEER_MISSING`
 */
export function connectRedis(where: RedisConnection): RedisCommands {
  if (where.client !== undefined) return isCommands(where.client) ? where.client : ioredisCommands(where.client, false);
  assertPeer(peer, import.meta.url);
  let opened: Promise<RedisCommands> | undefined;
  let ready: RedisCommands | undefined;
  const open = () =>
    (opened ??= loadPeer(peer, () => import("ioredis") as Promise<unknown> as Promise<Ioredis>).then((ioredis) => {
      const client = construct(ioredis, where);
      // Failures reach the caller of a command; without a listener the client prints them too.
      client.on("error", () => {});
      return (ready = ioredisCommands(client, true));
    }));
  return {
    evalsha: (sha1, keys, args) =>
      ready === undefined ? open().then((it) => it.evalsha(sha1, keys, args)) : ready.evalsha(sha1, keys, args),
    eval: async (source, keys, args) => (await open()).eval(source, keys, args),
    subscribe: async (channel, onMessage) => (await open()).subscribe(channel, onMessage),
    reconnect: () => ready?.reconnect?.(),
    close: async () => (await opened?.catch(() => undefined))?.close(),
  };
}

function construct({ Redis, Cluster }: Ioredis, where: RedisConnection): IoredisClient {
  if (where.url !== undefined) return new Redis(where.url, resilience);
  if (where.connection !== undefined) return new Redis({ ...resilience, ...where.connection });
  const { nodes, options } = where.cluster!;
  const { maxRetriesPerRequest } = resilience;
  return new Cluster(nodes, {
    lazyConnect: true,
    ...options,
    redisOptions: { maxRetriesPerRequest, ...(options?.["redisOptions"] as object | undefined) },
  });
}
