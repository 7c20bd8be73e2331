import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "vitest";
import { fileRolloutStore } from "./file.ts";
import { memoryRolloutStore } from "./memory.ts";
import { postgresRolloutStore } from "./postgres.ts";
import { redisRolloutStore } from "./redis.ts";
import { rolloutStoreContract, type RolloutStoreHarness } from "./store.contract.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let made = 0;
const unique = () => `t${process.pid}_${Date.now()}_${++made}`;
const { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl } = process.env;

const adapters: Record<string, { missing?: string | undefined; make: () => Promise<RolloutStoreHarness> }> = {
  memory: { make: async () => ({ store: memoryRolloutStore() }) },
  file: {
    make: async () => {
      const directory = await mkdtemp(join(tmpdir(), "rollout-"));
      cleanups.push(() => rm(directory, { recursive: true, force: true }));
      return { store: fileRolloutStore(directory), again: async () => fileRolloutStore(directory) };
    },
  },
  redis: {
    missing: redisUrl === undefined ? "REDIS_URL is not set" : undefined,
    make: async () => {
      const namespace = unique();
      const open = async () => {
        const store = redisRolloutStore({ url: redisUrl!, namespace });
        cleanups.push(() => store.close());
        return store;
      };
      return { store: await open(), again: open };
    },
  },
  postgres: {
    missing: databaseUrl === undefined ? "DATABASE_URL is not set" : undefined,
    make: async () => {
      const schema = unique();
      const { default: pg } = await import("pg");
      const open = async () => {
        const store = await postgresRolloutStore({ connectionString: databaseUrl!, schema });
        cleanups.push(() => store.close());
        return store;
      };
      cleanups.push(async () => {
        const client = new pg.Client({ connectionString: databaseUrl });
        await client.connect();
        await client.query(`drop schema if exists ${schema} cascade`);
        await client.end();
      });
      return { store: await open(), again: open };
    },
  },
};

for (const [name, { missing, make }] of Object.entries(adapters)) {
  describe.skipIf(missing !== undefined)(
    `the rollout store contract: ${name}${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    () => {
      for (const [title, clause] of Object.entries(rolloutStoreContract)) {
        it(title, async () => clause(await make()));
      }
    },
  );
}
