import { HebraError, loadPeer } from "@hebra/core";
import * as z from "zod";
import { ioredisCommands, otherCommands, type IoredisClient, type RedisCommands } from "./commands.ts";

/** Where the server is: exactly one of `url`, `connection`, `cluster` and `client`. */
export interface RedisConnection {
  /** `redis://` or `rediss://`, with user, password and database if need be. */
  url?: string;
  /** Options of an ioredis `Redis`, for all that a URL cannot say. */
  connection?: Readonly<Record<string, unknown>>;
  /** A Redis Cluster: some of its nodes, and the options of an ioredis `Cluster`. */
  cluster?: {
    nodes: readonly (string | { host: string; port: number })[];
    options?: Readonly<Record<string, unknown>>;
  };
  /**
   * A client of your own: an ioredis `Redis` or `Cluster`, or any other behind {@link RedisCommands}. It stays open.
   */
  client?: IoredisClient | RedisCommands;
}

const isClient = (value: unknown) =>
  typeof value === "object" && value !== null && typeof (value as RedisCommands).call === "function";

export const connectionShape = {
  url: z.string().min(1).optional(),
  connection: z.record(z.string(), z.unknown()).optional(),
  cluster: z
    .strictObject({
      nodes: z.array(z.union([z.string(), z.strictObject({ host: z.string(), port: z.number() })])).min(1),
      options: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  client: z.custom<IoredisClient | RedisCommands>(isClient, "is no Redis client").optional(),
};

/** Gives up a command after a few attempts, so that a caller hears of a lost server; goes on reconnecting for ever. */
const resilience = {
  maxRetriesPerRequest: 2,
  connectTimeout: 4_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500),
};

interface Ioredis {
  Redis: new (...args: unknown[]) => IoredisClient;
  Cluster: new (nodes: readonly unknown[], options: object) => IoredisClient;
}

/** @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING` */
export async function connectRedis(where: z.output<z.ZodObject<typeof connectionShape>>): Promise<RedisCommands> {
  const { url, connection, cluster, client } = where;
  if ([url, connection, cluster, client].filter((one) => one !== undefined).length !== 1) {
    throw new HebraError("INVALID_OPTIONS", "Give exactly one of `url`, `connection`, `cluster` and `client`.");
  }
  if (client !== undefined) return "status" in client ? ioredisCommands(client, false) : otherCommands(client);
  checkPort(url, connection);
  const peer = { name: "ioredis", range: "^5.0.0 || ^6.0.0", neededBy: "@hebra/thread/store/redis" };
  const { Redis, Cluster } = await loadPeer(peer, () => import("ioredis") as Promise<unknown> as Promise<Ioredis>);
  const made =
    url !== undefined
      ? new Redis(url, resilience)
      : connection !== undefined
        ? new Redis({ ...resilience, ...connection })
        : new Cluster(cluster!.nodes, {
            ...cluster!.options,
            redisOptions: { maxRetriesPerRequest: 2, ...(cluster!.options?.["redisOptions"] as object | undefined) },
          });
  return ioredisCommands(made, true);
}

/** A port that cannot exist: the client would try it for ever. */
function checkPort(url: string | undefined, connection: Readonly<Record<string, unknown>> | undefined): void {
  const port = url === undefined ? connection?.["port"] : (/:(\d+)(?:[/?]|$)/.exec(url)?.[1] ?? undefined);
  if (port === undefined || (Number.isInteger(Number(port)) && Number(port) >= 1 && Number(port) <= 65_535)) return;
  throw new HebraError(
    "INVALID_OPTIONS",
    `redisStore: ${String(port)} is no port. Check the address of the connection.`,
  );
}
