import { errorMessage, HebraError, loadPeer, parseOptions } from "@hebra/core";
import { z } from "zod";
import type { CounterRow } from "../counter-row.ts";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";
import { refusal } from "./check-commit.ts";
import { rowKey } from "./memory.ts";
import type { RolloutStore } from "./store.ts";

/** The part of an ioredis client (versions 5 and 6) that the store uses. */
export interface RolloutRedisClient {
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  hkeys(key: string): Promise<string[]>;
  hdel(key: string, ...fields: string[]): Promise<number>;
  lrange(key: string, start: number, stop: number): Promise<string[]>;
  smembers(key: string): Promise<string[]>;
  duplicate(): RolloutRedisClient;
  subscribe(channel: string): Promise<unknown>;
  on(event: "message" | "error", listener: (...args: string[]) => void): unknown;
  disconnect(): void;
  quit(): Promise<unknown>;
}

/** Options of {@link redisRolloutStore}: a client, which stays the host's to close, or a URL. */
export interface RedisRolloutStoreOptions {
  readonly client?: RolloutRedisClient;
  readonly url?: string;
  /** Before every key. @defaultValue "hebra" */
  readonly prefix?: string;
}

/** KEYS: state, evidence, flags. ARGV: flag, revision, fence, state, channel, records … Numbers come back as strings: Lua would print large ones rounded. */
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

const schema = z.strictObject({
  client: z.custom<RolloutRedisClient>((value) => typeof (value as RolloutRedisClient | null)?.eval === "function", "must be an ioredis client").optional(),
  url: z.string().optional(),
  prefix: z.string().min(1).default("hebra"),
});

/**
 * A rollout store in Redis, for controllers and processes on several hosts. Every key carries one hash tag, so that a cluster keeps a flag's state, evidence
 * and counters together; writes are Lua scripts, all or nothing.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when `url` is given and ioredis is not installed.
 */
export async function redisRolloutStore(options: RedisRolloutStoreOptions): Promise<RolloutStore> {
  const { client: given, url, prefix } = parseOptions("redisRolloutStore", schema, options);
  if ((given === undefined) === (url === undefined)) throw new HebraError("INVALID_OPTIONS", "redisRolloutStore needs either a `client` or a `url`.");
  const client = given ?? (await connect(url!));
  const key = (...parts: string[]) => `${prefix}:{rollout}:${parts.join(":")}`;
  const channel = key("changes");
  const listeners = new Set<(flag: string) => void>();
  let subscriber: RolloutRedisClient | undefined;
  let closed = false;

  async function call<T>(work: () => Promise<T>): Promise<T> {
    if (closed) throw new HebraError("CLOSED", "The rollout store is closed.");
    try {
      return await work();
    } catch (error) {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError("UNREACHABLE", `Redis did not take a call of the rollout store: ${errorMessage(error)}`, { cause: error });
    }
  }

  return {
    list: () => call(async () => (await client.smembers(key("flags"))).sort()),
    read: (flag) => call(async () => parse<RolloutState>(await client.hget(key("state", flag), "state"))),
    commit: (commit) =>
      call(async () => {
        const { state, evidence } = commit;
        const answer = (await client.eval(
          COMMIT, 3, key("state", state.flag), key("evidence", state.flag), key("flags"),
          state.flag, String(state.revision), String(state.fence), JSON.stringify(state), channel, ...evidence.map((record) => JSON.stringify(record)),
        )) as [string, string?, string?];
        if (answer[0] === "written") return;
        throw refusal(commit, { revision: Number(answer[1]), fence: Number(answer[2]) }) ?? new HebraError("INTERNAL", "Redis refused a commit that the rules allow.");
      }),
    evidence: (flag) => call(async () => (await client.lrange(key("evidence", flag), 0, -1)).map((text) => JSON.parse(text) as EvidenceRecord)),
    report: (rows) =>
      call(async () => {
        const byFlag = new Map<string, CounterRow[]>();
        for (const row of rows) byFlag.set(row.flag, [...(byFlag.get(row.flag) ?? []), row]);
        for (const [flag, own] of byFlag) {
          await client.eval(REPORT, 2, key("counters", flag), key("sequences", flag), ...own.flatMap((row) => [rowKey(row), String(row.sequence), JSON.stringify(row)]));
        }
      }),
    counters: (flag, from) =>
      call(async () => {
        const rows = await client.hgetall(key("counters", flag));
        return Object.entries(rows).flatMap(([field, text]) => (startOf(field) >= from ? [JSON.parse(text) as CounterRow] : []));
      }),
    prune: (flag, before) =>
      call(async () => {
        const rows = await client.hgetall(key("counters", flag));
        const old = Object.keys(rows).filter((field) => (JSON.parse(rows[field]!) as CounterRow).end < before);
        if (old.length === 0) return;
        await client.hdel(key("counters", flag), ...old);
        await client.hdel(key("sequences", flag), ...old);
      }),
    watch(listener) {
      listeners.add(listener);
      if (subscriber === undefined) {
        subscriber = client.duplicate();
        // A lost subscription shows as staleness of whoever polls beside it; it must not end the process.
        subscriber.on("error", () => {});
        subscriber.on("message", (_, flag) => listeners.forEach((tell) => tell(flag!)));
        subscriber.subscribe(channel).catch(() => {});
      }
      return () => void listeners.delete(listener);
    },
    async close() {
      if (closed) return;
      closed = true;
      listeners.clear();
      subscriber?.disconnect();
      if (given === undefined) await client.quit().catch(() => client.disconnect());
    },
  };
}

const startOf = (field: string): number => Number(field.slice(0, field.indexOf(" ")));

function parse<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

async function connect(url: string): Promise<RolloutRedisClient> {
  const { Redis } = await loadPeer({ name: "ioredis", range: "^5.0.0 || ^6.0.0", neededBy: "@hebra/flags/redis" }, () => import("ioredis"));
  const client = new Redis(url, { maxRetriesPerRequest: 2 });
  client.on("error", () => {});
  return client as unknown as RolloutRedisClient;
}
