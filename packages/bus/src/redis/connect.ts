import { assertPeer, HebraError, loadPeer } from "@hebra/core";
import { ioredisCommands, type IoredisClient, type RedisCommands } from "./commands.ts";

const peer = { name: "ioredis", range: "^5.0.0 || ^6.0.0", neededBy: "@hebra/bus/redis" };

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
   * A client of your own: an ioredis `Redis` or `Cluster` without `keyPrefix`, or any other behind {@link
   * RedisCommands}. It
   * stays open; connections that wait are made from it.
   */
  client?: IoredisClient | RedisCommands;
}

/** Gives up a command after a few attempts, so that a caller hears of a lost server; goes on reconnecting for ever. */
const patience = {
  maxRetriesPerRequest: 2,
  connectTimeout: 4_000,
  retryStrategy: (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 5), 500),
};

interface Ioredis {
  Redis: new (...args: unknown[]) => IoredisClient;
  Cluster: new (nodes: readonly unknown[], options: object) => IoredisClient;
}

const isCommands = (client: IoredisClient | RedisCommands): client is RedisCommands => !("status" in client);

/**
 * Prepares the commands of a connection. That ioredis is there is checked at once; it is loaded when the result is
 * called.
 *
 * @throws HebraError `PEER_MISSING`, `INVALID_OPTIONS`
 */
export function connector(where: RedisConnection): () => Promise<RedisCommands> {
  const { client } = where;
  if (client !== undefined) {
    if (isCommands(client)) return async () => client;
    if ((client.options.keyPrefix ?? "") !== "") {
      throw new HebraError(
        "INVALID_OPTIONS",
        "redisBus: the client has a `keyPrefix`, which scripts do not see. Use `namespace` instead.",
      );
    }
    return async () => ioredisCommands(client, false);
  }
  assertPeer(peer, import.meta.url);
  return async () => {
    const ioredis = await loadPeer(peer, () => import("ioredis") as Promise<unknown> as Promise<Ioredis>);
    const made = construct(ioredis, where);
    // Failures reach the caller of a command; without a listener the client prints them too.
    made.on("error", () => {});
    return ioredisCommands(made, true);
  };
}

function construct({ Redis, Cluster }: Ioredis, where: RedisConnection): IoredisClient {
  if (where.url !== undefined) return new Redis(where.url, patience);
  if (where.connection !== undefined) return new Redis({ ...patience, ...where.connection });
  const { nodes, options } = where.cluster!;
  return new Cluster(nodes, {
    ...options,
    redisOptions: { maxRetriesPerRequest: 2, ...(options?.["redisOptions"] as object | undefined) },
  });
}
