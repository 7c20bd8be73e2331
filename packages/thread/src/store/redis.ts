import { parseOptions } from "@hebra/core";
import * as z from "zod";
import { threads } from "./tables.ts";
import { connectionShape, connectRedis, type RedisConnection } from "./redis/connect.ts";
import { createGlobalFind } from "./redis/globals.ts";
import { createKeys, placeOf } from "./redis/layout.ts";
import { createReader, type Reader } from "./redis/reader.ts";
import { createRoutes } from "./redis/routes.ts";
import { createRunner } from "./redis/runner.ts";
import { createWatch } from "./redis/watch.ts";
import type { ThreadStore } from "./store.ts";
import { createTableStore } from "./table-store.ts";

export type { IoredisClient, RedisCommands } from "./redis/commands.ts";
export type { RedisConnection } from "./redis/connect.ts";

/** How {@link redisStore} is made. */
export interface RedisStoreOptions extends RedisConnection {
  /** What the names of all keys begin with. @defaultValue `hebra:thread` */
  namespace?: string;
}

const schema = z.strictObject({
  ...connectionShape,
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9:._-]{1,64}$/, "may hold letters, digits, `:`, `.`, `_` and `-` only")
    .default("hebra:thread"),
});

/**
 * Keeps threads in Redis, whole, for any number of processes and hosts; also in a cluster, as everything of a thread
 * shares
 * a slot. A holder's write is one script call. What a finished write has survived is up to the server: with
 * `appendfsync everysec` the last second may be lost in a power cut. The server must not evict keys (`noeviction`).
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`
 *
 * @example
 * ```ts
 * import { redisStore } from "@hebra/thread/store/redis";
 *
 * export async function open(url: string) {
 *   return redisStore({ url, namespace: "agents" });
 * }
 * ```
 */
export async function redisStore(options: RedisStoreOptions): Promise<ThreadStore> {
  const parsed = parseOptions("redisStore", schema, options);
  const commands = await connectRedis(parsed);
  const keys = createKeys(parsed.namespace);
  const channel = `${parsed.namespace}:inbox`;
  const routes = createRoutes(
    commands,
    keys,
    async (tenant, threadId, key) =>
      (await reader.row(threads, tenant, threadId, [threadId]))?.[placeOf(threads, "key")] === key,
  );
  const reader: Reader = createReader(
    commands,
    keys,
    routes,
    createGlobalFind(commands, keys, routes, () => reader),
  );
  const watch = createWatch(commands, channel);
  return createTableStore({
    name: "redis",
    scope: "shared",
    ...createRunner(commands, keys, reader, routes, channel),
    watch: watch.watch,
    async now() {
      const [seconds, microseconds] = (await commands.call("TIME")) as [string, string];
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    },
    async close() {
      watch.close();
      await commands.close();
    },
  });
}
