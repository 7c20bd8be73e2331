import { errorMessage, HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { readFlagText } from "../../evaluate/document.ts";
import { changedDocument, readStored, replacedDocument } from "../../evaluate/stored-document.ts";
import type { FlagDocument } from "../../evaluate/types.ts";
import type { FlagProvider, ProviderEvent } from "../provider.ts";
import { createRefresher } from "../refresher.ts";
import { connectionShape, lazyRedis, oneConnection, type IoredisClient, type RedisConnection } from "./connection.ts";

/** Where flags are in Redis. */
export interface RedisFlagsOptions extends RedisConnection {
  /**
   * What the key begins with: the document is the hash `<namespace>:flags`, changes are told on
   * `<namespace>:flags:changed`. @defaultValue "hebra"
   */
  readonly namespace?: string;
  /** Milliseconds after which an unanswered command fails. @defaultValue 2,000 */
  readonly commandTimeoutMs?: number;
}

/** Options of {@link redisProvider}. */
export interface RedisProviderOptions extends RedisFlagsOptions {
  /** Milliseconds between two looks, for messages that were lost. @defaultValue 5,000 */
  readonly pollMs?: number;
  readonly clock?: Clock;
}

const shape = {
  ...connectionShape,
  namespace: z
    .string()
    .regex(/^[^{}\s]{1,100}$/, "must be 1 to 100 characters without braces and white space")
    .default("hebra"),
  commandTimeoutMs: z.number().positive().default(2_000),
};
const providerSchema = z
  .strictObject({
    ...shape,
    pollMs: z.number().positive().default(5_000),
    clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
  })
  .refine(oneConnection.check, { message: oneConnection.message });
const writerSchema = z.strictObject(shape).refine(oneConnection.check, { message: oneConnection.message });

/** A server that lost its data counts from one again: the digest tells two documents of one number apart. */
const revisionOf = (revision?: string | null, digest?: string | null): string => `${revision ?? ""} ${digest ?? ""}`;

const names = (namespace: string) => ({ key: `${namespace}:flags`, channel: `${namespace}:flags:changed` });

/**
 * Flags from Redis: one hash with the document and its revision, a message at each change, a look every `pollMs` for
 * messages that were lost. After
 * a lost connection the document is read again. When the document vanishes the last good one stays in force.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when ioredis is not installed and no client was passed.
 *
 * @example
 * ```ts
 * import { createFlags, envProvider } from "@hebra/flags";
 * import { redisProvider } from "@hebra/flags/redis";
 *
 * export const flags = createFlags({ providers: [envProvider(), redisProvider({ url: "redis://127.0.0.1:6379" })] });
 * ```
 */
export function redisProvider(options: RedisProviderOptions): FlagProvider {
  const {
    namespace,
    pollMs,
    clock = systemClock,
    commandTimeoutMs,
    ...where
  } = parseOptions("redisProvider", providerSchema, options);
  const { key, channel } = names(namespace);
  const redis = lazyRedis(where as RedisConnection, commandTimeoutMs);
  let subscribed = false;
  let seen = false;
  const refresher = createRefresher({
    name: `redis ${key}`,
    clock,
    pollMs,
    async read(revision) {
      if (
        revision !== undefined &&
        revisionOf(...(await redis.ask((client) => client.hmget(key, "revision", "digest")))) === revision
      )
        return "unchanged";
      const [now, digest, text] = await redis.ask((client) => client.hmget(key, "revision", "digest", "document"));
      if (typeof now !== "string" || typeof text !== "string") {
        if (seen)
          throw new HebraError(
            "FLAG_INVALID",
            `The flags vanished from Redis (${key}); the last known good ones stay in force. Write an empty document to remove them.`,
          );
        return { revision: "0", snapshot: { document: { flags: {} } } };
      }
      const snapshot = readFlagText(text);
      seen = true;
      return { revision: revisionOf(now, digest), snapshot };
    },
  });

  return {
    name: "redis",
    load: () => refresher.load(),
    watch(listener: (event: ProviderEvent) => void) {
      if (!subscribed && !refresher.closed()) {
        subscribed = true;
        redis
          .listen(channel, { onMessage: refresher.refresh, onGap: refresher.refresh })
          .catch((error: unknown) =>
            refresher.lost(
              new HebraError("UNREACHABLE", `Redis cannot be listened to: ${errorMessage(error)}.`, { cause: error }),
            ),
          );
      }
      return refresher.watch(listener);
    },
    async close() {
      refresher.close();
      await redis.close();
    },
  };
}

/** Writes the document that {@link redisProvider} reads. */
export interface RedisFlagWriter {
  /**
   * The document and its revision, 0 when there is none; `rejected` has the flags that cannot be used, which a write
   * leaves as they are.
   *
   * @throws HebraError `UNREACHABLE`; `STORE_FAILED` when what is stored is no flag document
   */
  read(): Promise<{
    readonly document: FlagDocument;
    readonly revision: number;
    readonly rejected?: Readonly<Record<string, string>>;
  }>;
  /**
   * Puts a document in force and tells every process.
   *
   * @param expected - the revision that it was made from; left out, it is written over whatever is there.
   * @returns the new revision
   * @throws HebraError `FLAG_INVALID`; `REVISION_CONFLICT` when another write came first; `UNREACHABLE`
   */
  write(document: FlagDocument, expected?: number): Promise<number>;
  close(): Promise<void>;
}

const WRITE = `
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0')
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= revision then return -1 - revision end
redis.call('HSET', KEYS[1], 'document', ARGV[1], 'revision', revision + 1, 'digest', redis.sha1hex(ARGV[1]))
redis.call('PUBLISH', ARGV[3], revision + 1)
return revision + 1`;

/**
 * A writer of the flags in Redis. The write, its revision and its message are one atomic step.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`
 */
export function redisFlagWriter(options: RedisFlagsOptions): RedisFlagWriter {
  const { namespace, commandTimeoutMs, ...where } = parseOptions("redisFlagWriter", writerSchema, options);
  const { key, channel } = names(namespace);
  const redis = lazyRedis(where as RedisConnection, commandTimeoutMs);
  const reach = async <T>(work: (client: IoredisClient) => Promise<T>): Promise<T> => {
    try {
      return await redis.ask(work);
    } catch (cause) {
      if (HebraError.isInstance(cause)) throw cause;
      throw new HebraError("UNREACHABLE", `Redis did not take the flags: ${errorMessage(cause)}.`, { cause });
    }
  };
  const stored = () =>
    reach(async (client) => {
      const [revision, text] = await client.hmget(key, "revision", "document");
      return { revision: Number(revision ?? 0), text: typeof text === "string" ? text : undefined };
    });
  const conflict = (revision: number, expected: number) =>
    new HebraError("REVISION_CONFLICT", `The flags are at revision ${revision}, not ${expected}.`, {
      details: { revision, expected },
    });
  return {
    async read() {
      const { revision, text } = await stored();
      return text === undefined ? { document: { flags: {} }, revision } : { ...readStored(text), revision };
    },
    async write(document, expected) {
      for (;;) {
        const { revision, text } = await stored();
        if (expected !== undefined && expected !== revision) throw conflict(revision, expected);
        const changed = expected === undefined ? replacedDocument : changedDocument;
        const next = JSON.stringify(changed(text, document));
        const result = Number(await reach((client) => client.eval(WRITE, 1, key, next, String(revision), channel)));
        if (result > 0) return result;
        // Somebody wrote in between: whoever named a revision hears of it, whoever named none writes over it.
        if (expected !== undefined) throw conflict(-1 - result, expected);
      }
    },
    close: () => redis.close(),
  };
}
