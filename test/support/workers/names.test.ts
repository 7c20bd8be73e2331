import { Redis } from "ioredis";
import pg from "pg";
import { expect, test } from "vitest";
import { databaseOf, databaseUrl, redisUrl } from "./names.ts";

test("each worker has databases of its own on the given servers, whatever the address holds besides", () => {
  expect(databaseUrl("postgres://ada:p%40ss@db.example:5433/app?sslmode=require", databaseOf("run_7", 2))).toBe(
    "postgres://ada:p%40ss@db.example:5433/run_7_2?sslmode=require",
  );
  expect([1, 2, 3].map((worker) => redisUrl("redis://user:pass@cache.example:6380", worker))).toEqual([
    "redis://user:pass@cache.example:6380/1",
    "redis://user:pass@cache.example:6380/2",
    "redis://user:pass@cache.example:6380/3",
  ]);
  expect(redisUrl("redis://cache.example/14", 3)).toBe("redis://cache.example/1");
});

const { REDIS_URL, DATABASE_URL } = process.env;
const worker = Number(process.env["VITEST_POOL_ID"]);

test.skipIf(DATABASE_URL === undefined)("this worker's PostgreSQL database is its own", async () => {
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  const { rows } = await client.query("SELECT current_database() AS name");
  await client.end();
  expect(rows).toEqual([{ name: expect.stringMatching(new RegExp(`^hebra_test_\\d+_${worker}$`)) as string }]);
});

test.skipIf(REDIS_URL === undefined)("this worker's Redis database is its own", async () => {
  const client = new Redis(REDIS_URL!);
  const info = String(await client.client("INFO"));
  client.disconnect();
  expect(info).toMatch(new RegExp(` db=${worker} `));
});
