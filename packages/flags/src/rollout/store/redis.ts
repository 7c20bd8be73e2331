import { errorMessage, HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import {
  connectionShape,
  lazyRedis,
  oneConnection,
  type IoredisClient,
  type RedisConnection,
} from "../../provider/redis/connection.ts";
import type { CounterRow } from "../counter-row.ts";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";
import { refusal } from "./check-commit.ts";
import { rowKey } from "./memory.ts";
import type { RolloutStore } from "./store.ts";

/** Options of {@link redisRolloutStore}. */
export interface RedisRolloutStoreOptions extends RedisConnection {
  /** What every key begins with. @defaultValue "hebra" */
  readonly namespace?: string;
  /** Milliseconds after which an unanswered command fails. @defaultValue 2,000 */
  readonly commandTimeoutMs?: number;
}

/**
 * KEYS: state, evidence, flags. ARGV: flag, revision, fence, state, channel, records … Numbers come back as strings:
 * Lua would print large ones rounded.
 */
const COMMIT = `
local stored = redis.call('HMGET', KEYS[1], 'revision', 'fence')
local revision = tonumber(stored[1] or '0')
local fence = tonumber(stored[2] or '0')
if tonumber(ARGV[3]) < fence or tonumber(ARGV[2]) ~= revision + 1 then
  return { 'refused', stored[1] or '0', stored[2] or '0' }
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'fence', ARGV[3], 'state', ARGV[4])
for at = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[at]) end
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return { 'written' }
`;

/** KEYS: rows, sequences. ARGV: field, sequence, row; repeated. */
const REPORT = `
for at = 1, #ARGV, 3 do
  local known = tonumber(redis.call('HGET', KEYS[2], ARGV[at]) or '-1')
  if tonumber(ARGV[at + 1]) > known then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  end
end
return 1
`;

const schema = z
  .strictObject({
    ...connectionShape,
    namespace: z
      .string()
      .regex(/^[^{}\s]{1,100}$/, "must be 1 to 100 characters without braces and white space")
      .default("hebra"),
    commandTimeoutMs: z.number().positive().default(2_000),
  })
  .refine(oneConnection.check, { message: oneConnection.message });

/**
 * A rollout store in Redis, for controllers and processes on several hosts. Every key carries one hash tag, so that a
 * cluster keeps a flag's state, evidence
 * and counters together; writes are Lua scripts, all or nothing.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when ioredis is not installed and no client was passed. Its
 * methods throw `UNREACHABLE`.
 *
 * @example
 * ```ts
 * import { createRolloutService } from "@hebra/flags/rollout";
 * import { redisRolloutStore } from "@hebra/flags/redis";
 *
 * export const service = createRolloutService({ store: redisRolloutStore({ url: "redis://127.0.0.1:6379" }) });
 * ```
 */
export function redisRolloutStore(options: RedisRolloutStoreOptions): RolloutStore {
  const { namespace, commandTimeoutMs, ...where } = parseOptions("redisRolloutStore", schema, options);
  const redis = lazyRedis(where as RedisConnection, commandTimeoutMs);
  const key = (...parts: string[]) => `${namespace}:{rollout}:${parts.join(":")}`;
  const channel = key("changes");
  const listeners = new Set<(flag: string) => void>();
  let subscribed = false;
  let closed = false;

  async function call<T>(work: (client: IoredisClient) => Promise<T>): Promise<T> {
    if (closed) throw new HebraError("CLOSED", "The rollout store is closed.");
    try {
      return await redis.ask(work);
    } catch (error) {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError("UNREACHABLE", `Redis did not take a call of the rollout store: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  return {
    list: () => call(async (client) => (await client.smembers(key("flags"))).sort()),
    read: (flag) => call(async (client) => parse<RolloutState>(await client.hget(key("state", flag), "state"))),
    commit: (commit) =>
      call(async (client) => {
        const { state, evidence } = commit;
        const answer = (await client.eval(
          COMMIT,
          3,
          key("state", state.flag),
          key("evidence", state.flag),
          key("flags"),
          state.flag,
          String(state.revision),
          String(state.fence),
          JSON.stringify(state),
          channel,
          ...evidence.map((record) => JSON.stringify(record)),
        )) as [string, string?, string?];
        if (answer[0] === "written") return;
        throw (
          refusal(commit, { revision: Number(answer[1]), fence: Number(answer[2]) }) ??
          new HebraError("INTERNAL", "Redis refused a commit that the rules allow.")
        );
      }),
    evidence: (flag) =>
      call(async (client) =>
        (await client.lrange(key("evidence", flag), 0, -1)).map((text) => JSON.parse(text) as EvidenceRecord),
      ),
    report: (rows) =>
      call(async (client) => {
        const byFlag = new Map<string, CounterRow[]>();
        for (const row of rows) byFlag.set(row.flag, [...(byFlag.get(row.flag) ?? []), row]);
        for (const [flag, own] of byFlag) {
          await client.eval(
            REPORT,
            2,
            key("counters", flag),
            key("sequences", flag),
            ...own.flatMap((row) => [rowKey(row), String(row.sequence), JSON.stringify(row)]),
          );
        }
      }),
    counters: (flag, from) =>
      call(async (client) => {
        const rows = await client.hgetall(key("counters", flag));
        return Object.entries(rows).flatMap(([field, text]) =>
          startOf(field) >= from ? [JSON.parse(text) as CounterRow] : [],
        );
      }),
    prune: (flag, before) =>
      call(async (client) => {
        const rows = await client.hgetall(key("counters", flag));
        const old = Object.keys(rows).filter((field) => (JSON.parse(rows[field]!) as CounterRow).end < before);
        if (old.length === 0) return;
        await client.hdel(key("counters", flag), ...old);
        await client.hdel(key("sequences", flag), ...old);
      }),
    watch(listener) {
      listeners.add(listener);
      if (!subscribed && !closed) {
        subscribed = true;
        const onMessage = (flag: string) => listeners.forEach((tell) => tell(flag));
        // A lost subscription shows as staleness of whoever polls beside it; it must not end the process.
        redis.listen(channel, { onMessage, onGap: () => {} }).catch(() => {});
      }
      return () => void listeners.delete(listener);
    },
    async close() {
      if (closed) return;
      closed = true;
      listeners.clear();
      await redis.close();
    },
  };
}

const startOf = (field: string): number => Number(field.slice(0, field.indexOf(" ")));

function parse<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}
