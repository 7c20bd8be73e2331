import { inject } from "vitest";
import { databaseOf, databaseUrl, redisUrl } from "./names.ts";

// A file that flushes, drops or locks meets nobody else's data: each worker has databases of its own.
const worker = Number(process.env["VITEST_POOL_ID"]);
const databases = inject("databases");
const { REDIS_URL, DATABASE_URL } = process.env;
if (DATABASE_URL !== undefined && databases !== undefined)
  process.env["DATABASE_URL"] = databaseUrl(DATABASE_URL, databaseOf(databases, worker));
if (REDIS_URL !== undefined) process.env["REDIS_URL"] = redisUrl(REDIS_URL, worker);
