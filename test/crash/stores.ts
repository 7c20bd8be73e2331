import type { ThreadStore } from "@hebra/thread";
import { postgresStore } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { sqliteStore } from "@hebra/thread/store/sqlite";

/** Which database the processes of one run share. Plain data: it is handed to a child process. */
export type StoreConfig =
  | { kind: "sqlite"; path: string }
  | { kind: "postgres"; url: string; schema: string }
  | { kind: "redis"; url: string; namespace: string };

/** A place of its own in the same database. @param name - of letters and digits */
export function apart(config: StoreConfig, name: string): StoreConfig {
  switch (config.kind) {
    case "sqlite":
      return { ...config, path: `${config.path}-${name}` };
    case "postgres":
      return { ...config, schema: `${config.schema}_${name}` };
    case "redis":
      return { ...config, namespace: `${config.namespace}:${name}` };
  }
}

/** Opens it, as any process would. */
export async function openStore(config: StoreConfig): Promise<ThreadStore> {
  switch (config.kind) {
    case "sqlite":
      return sqliteStore({ path: config.path });
    case "postgres":
      return postgresStore({ connectionString: config.url, schema: config.schema, migrations: "automatic" });
    case "redis":
      return redisStore({ url: config.url, namespace: config.namespace });
  }
}
