import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { bundleProgram, removeProgram } from "./processes.ts";
import type { StoreConfig } from "./stores.ts";

/** Dozens of processes are started, on a machine that may be busy. In milliseconds. */
export const PATIENCE = 600_000;

/** What a test of this folder works with. Nothing of it is left behind. */
export interface CrashFixture {
  directory: string;
  /** The bundled program, once the tests run. */
  program(): string;
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  /** Of PostgreSQL. */
  schema: string;
  /** Of Redis. */
  namespace: string;
  /** The databases by name; undefined where there is no server. */
  stores: [StoreConfig["kind"], StoreConfig | undefined][];
  /** One of them; undefined where there is no server. */
  storeOf(kind: StoreConfig["kind"]): StoreConfig | undefined;
}

/** @param name - of the test, for what it keeps. @param programName - of the file that its processes run. */
export function crashFixture(name: string, programName = "program"): CrashFixture {
  const directory = mkdtempSync(join(tmpdir(), `hebra-${name}-`));
  const databaseUrl = process.env["DATABASE_URL"];
  const redisUrl = process.env["REDIS_URL"];
  const schema = `${name}_${process.pid}`;
  const namespace = `${name}:${process.pid}`;
  let program = "";
  beforeAll(async () => {
    program = await bundleProgram(programName);
  }, PATIENCE);
  afterAll(async () => {
    removeProgram();
    rmSync(directory, { recursive: true, force: true });
    if (databaseUrl === undefined) return;
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
    // Also those of `apart`.
    const { rows } = await pool.query<{ name: string }>(
      "SELECT nspname AS name FROM pg_namespace WHERE nspname = $1 OR starts_with(nspname, $1 || '_')",
      [schema],
    );
    for (const one of rows) await pool.query(`DROP SCHEMA ${one.name} CASCADE`);
    await pool.end();
  }, PATIENCE);
  const stores: CrashFixture["stores"] = [
    ["sqlite", { kind: "sqlite", path: join(directory, "threads.db") }],
    ["postgres", databaseUrl === undefined ? undefined : { kind: "postgres", url: databaseUrl, schema }],
    ["redis", redisUrl === undefined ? undefined : { kind: "redis", url: redisUrl, namespace }],
  ];
  return {
    directory,
    program: () => program,
    databaseUrl,
    redisUrl,
    schema,
    namespace,
    stores,
    storeOf: (kind) => stores.find(([name]) => name === kind)![1],
  };
}
