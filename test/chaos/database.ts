import { join } from "node:path";
import type { RuntimeConfig } from "@hebra/thread/runtime";
import pg from "pg";
import { findServers } from "../../scripts/servers/find.mjs";
import { startPostgres } from "../../scripts/servers/postgres.mjs";

/** Where threads are kept during a run. */
export interface Database {
  readonly store: NonNullable<RuntimeConfig["store"]>;
  /** Removes what the run has written. */
  close(): Promise<void>;
}

/** A schema of its own in the PostgreSQL of `DATABASE_URL`, or in one that is started; SQLite where there is none. */
export async function openDatabase(schema: string, directory: string): Promise<Database> {
  const given = process.env["DATABASE_URL"];
  const program =
    given === undefined ? (await findServers(["postgres"]).catch(() => ({ postgres: undefined }))).postgres : undefined;
  const server = program === undefined ? undefined : await startPostgres(program);
  const url = given ?? server?.url;
  if (url === undefined)
    return { store: { backend: "sqlite", path: join(directory, "threads.sqlite") }, close: async () => {} };
  return {
    store: { backend: "postgres", url, schema, migrations: "automatic" },
    async close() {
      if (server !== undefined) return server.stop();
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await client.end();
    },
  };
}
