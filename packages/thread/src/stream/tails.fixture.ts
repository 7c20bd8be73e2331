import { memoryStore } from "../store/memory.ts";
import { postgresStore } from "../store/postgres.ts";
import { redisStore } from "../store/redis.ts";
import type { ThreadStore } from "../store/store.ts";
import { memoryTail } from "../tail/memory.ts";
import { postgresTail } from "../tail/postgres.ts";
import { redisTail } from "../tail/redis.ts";
import type { LiveTail } from "./live-tail.ts";

/** A store and a tail, each opened anew by every process. */
export interface Backend {
  store(): Promise<ThreadStore>;
  tail(): Promise<LiveTail>;
}

const { REDIS_URL: url, DATABASE_URL: connectionString } = process.env;

/** Backends by their names; each call has names of its own in the servers. */
export function backends(space: string): Record<string, Backend> {
  const store = memoryStore();
  const tail = memoryTail();
  return {
    memory: { store: async () => store, tail: async () => tail },
    ...(url === undefined
      ? {}
      : {
          redis: {
            store: () => redisStore({ url, namespace: `${space}:thread` }),
            tail: () => redisTail({ url, namespace: `${space}:tail` }),
          },
        }),
    ...(connectionString === undefined
      ? {}
      : {
          postgres: {
            store: () => postgresStore({ connectionString, schema: space, migrations: "automatic", poolSize: 3 }),
            tail: () => postgresTail({ connectionString, schema: space, poolSize: 3 }),
          },
        }),
  };
}

export const newSpace = () => `tail_${globalThis.crypto.randomUUID().slice(0, 8)}`;
