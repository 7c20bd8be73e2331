import { parseOptions } from "@hebra/core";
import * as z from "zod";
import { connectionShape, connectRedis, type RedisConnection } from "../store/redis/connect.ts";
import {
  ENDED_MS,
  IDLE_MS,
  KEPT_BATCHES,
  PAGE_BATCHES,
  turnKey,
  type LiveTail,
  type TailRecord,
  type TailTurn,
} from "../stream/live-tail.ts";
import { createTailWatchers } from "../stream/tail-watchers.ts";

/** How {@link redisTail} is made. */
export interface RedisTailOptions extends RedisConnection {
  /** What the names of all keys begin with. @defaultValue `hebra:tail` */
  namespace?: string;
}

const schema = z.strictObject({
  ...connectionShape,
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9:._-]{1,64}$/, "may hold letters, digits, `:`, `.`, `_` and `-` only")
    .default("hebra:tail"),
});

/**
 * A live tail over Redis: one capped stream a turn, and one channel with one subscription a process. Keys expire by
 * themselves.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`
 *
 * @example
 * ```ts
 * import { redisTail } from "@hebra/thread/tail/redis";
 *
 * export const open = (url: string) => redisTail({ url });
 * ```
 */
export async function redisTail(options: RedisTailOptions): Promise<LiveTail> {
  const { namespace, ...where } = parseOptions("redisTail", schema, options);
  const commands = await connectRedis(where);
  const watchers = createTailWatchers();
  const channel = `${namespace}:news`;
  const nameOf = (turn: TailTurn) => `${namespace}:${turnKey(turn)}`;
  let subscribed: Promise<void> | undefined;

  function subscribe(): void {
    subscribed ??= commands.subscribe(
      channel,
      (key) => watchers.notify(key),
      () => watchers.notify(),
    );
    // News may have come before the subscription stood; where it failed, the next watcher tries again.
    subscribed.then(
      () => watchers.notify(),
      () => (subscribed = undefined),
    );
  }

  return {
    async append(turn, records) {
      const name = nameOf(turn);
      // One connection sends them in order.
      await Promise.all([
        commands.call("XADD", name, "MAXLEN", "~", KEPT_BATCHES, "*", "r", JSON.stringify(records)),
        commands.call("PEXPIRE", name, IDLE_MS),
        commands.call("PUBLISH", channel, turnKey(turn)),
      ]);
    },
    async read(turn, after) {
      const start = after === undefined ? "-" : `(${after}`;
      const found = (await commands.call("XRANGE", nameOf(turn), start, "+", "COUNT", PAGE_BATCHES)) as [
        string,
        [string, string],
      ][];
      return {
        records: found.flatMap(([, [, records]]) => JSON.parse(records) as TailRecord[]),
        position: found.at(-1)?.[0] ?? after,
      };
    },
    watch(turn, onNews) {
      const stop = watchers.watch(turnKey(turn), onNews);
      subscribe();
      return stop;
    },
    async end(turn) {
      await commands.call("PEXPIRE", nameOf(turn), ENDED_MS);
    },
    close: () => commands.close(),
  };
}
