import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { postgresMigrations } from "../store/postgres.ts";
import { openStore, parseRuntimeConfig } from "./config.ts";

const PATIENCE = 120_000;
const url = process.env["DATABASE_URL"];
const name = `config_${process.pid}`;

/** So that the server tells which connections are ours. */
const named = (text: string) => {
  const address = new URL(text);
  address.searchParams.set("application_name", name);
  return address.href;
};

describe.skipIf(url === undefined)("a store of PostgreSQL as data", () => {
  const pool = new pg.Pool({ connectionString: url });
  afterAll(async () => {
    await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
    await pool.end();
  });

  it(
    "holds no more connections than it says",
    async () => {
      const migrations = await postgresMigrations({ connectionString: url!, schema: name });
      await migrations.apply();
      await migrations.close();
      const { store: settings } = parseRuntimeConfig({
        store: { backend: "postgres", url: named(url!), schema: name, poolSize: 2, prepare: false },
      });
      const store = await openStore(settings);
      await Promise.all(Array.from({ length: 40 }, (_, index) => store.load("default", { key: `k${index}` })));
      const { rows } = await pool.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1", [
        name,
      ]);
      expect(rows[0].n).toBe(2);
      await store.close();
    },
    PATIENCE,
  );

  it("refuses a pool of nothing", () => {
    expect(() => parseRuntimeConfig({ store: { backend: "postgres", url: "postgres://x", poolSize: 0 } })).toThrow(
      "poolSize",
    );
  });
});
