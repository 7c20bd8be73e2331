import { mkdtempSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import { startPostgres, withoutPostgresServer, type TestPostgres } from "@hebra/test-servers/postgres";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beginQueued, beginRunning, playTurn, T0, turnIds } from "../contract/rows.ts";
import { storeLocks } from "../locks.ts";
import { postgresMigrations, postgresStore } from "../postgres.ts";
import { tables } from "../tables.ts";
import { explained, wrapped } from "./errors.ts";

/** A real server is started, on a machine that may be busy. In milliseconds. */
const PATIENCE = 120_000;
const ids = turnIds("award_42", "m1");

interface Fault {
  says: RegExp;
  code: string;
  retryable: boolean;
  work: () => Promise<unknown>;
}

describe.skipIf(withoutPostgresServer !== undefined)("a fault of PostgreSQL", () => {
  let server: TestPostgres;
  let admin: pg.Pool;
  const directory = mkdtempSync(join(tmpdir(), "hebra-hba-"));
  beforeAll(async () => {
    // Roles whose name begins with "locked" need a password; everybody else is trusted.
    const rules = join(directory, "pg_hba.conf");
    writeFileSync(rules, "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n");
    chmodSync(directory, 0o755);
    server = await startPostgres({ hba_file: rules });
    admin = new pg.Pool({ connectionString: server.url, max: 4 });
    admin.on("error", () => undefined);
    await admin.query("CREATE ROLE locked LOGIN PASSWORD 'right'");
    await admin.query("CREATE ROLE nobody NOLOGIN");
    await admin.query("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0");
    await admin.query("CREATE ROLE poor LOGIN");
    await admin.query("CREATE ROLE reader LOGIN SUPERUSER");
    await admin.query("ALTER ROLE reader SET default_transaction_read_only = on");
    for (const schema of ["public", "dropped"]) {
      const migrations = await postgresMigrations({ connectionString: server.url, schema });
      await migrations.apply();
      await migrations.close();
    }
    await admin.query("DROP TABLE dropped.thread_threads");
    await admin.query("CREATE SCHEMA taken CREATE TABLE taken.thread_items (id text)");
    await admin.query("CREATE SCHEMA versioned CREATE TABLE versioned.thread_schema (name text)");
  }, PATIENCE);
  afterAll(async () => {
    await admin.end();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const as = (user: string, database = "postgres") => `postgres://${user}@127.0.0.1:${server.port}/${database}`;
  const opened = async (connectionString: string, schema = "public") =>
    (await postgresStore({ connectionString, schema })).begin("t", beginQueued(ids));

  const faults: Record<string, Fault> = {
    "28P01, a wrong password": {
      says: /PostgreSQL refused the login/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(as("locked:wrong")),
    },
    "no password where one is needed": {
      says: /PostgreSQL refused the login/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(as("locked")),
    },
    "28000, a role that may not log in": {
      says: /PostgreSQL refused the login/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(as("nobody")),
    },
    "3D000, a missing database": {
      says: /database of the connection does not exist in PostgreSQL/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(as("postgres", "nowhere")),
    },
    "53300, no connection left": {
      says: /no disk, memory or connection left/,
      code: "STORE_FAILED",
      retryable: true,
      work: () => opened(as("crowd")),
    },
    "42501, a missing right": {
      says: /lacks a right in PostgreSQL/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(as("poor")),
    },
    "25006, a standby": {
      says: /PostgreSQL accepts no writes here/,
      code: "UNREACHABLE",
      retryable: true,
      work: () => opened(as("reader")),
    },
    "42P01, a table that somebody dropped": {
      says: /missing in PostgreSQL/,
      code: "SCHEMA_NOT_APPLIED",
      retryable: false,
      work: () => opened(server.url, "dropped"),
    },
    "42P07, a table of the store's name that is another's": {
      says: /not the store's. Choose another `schema`/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => postgresStore({ connectionString: server.url, schema: "taken", migrations: "automatic" }),
    },
    "42703, a version table that is another's": {
      says: /not the store's. Choose another `schema`/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => postgresStore({ connectionString: server.url, schema: "versioned" }),
    },
    "ECONNREFUSED, nobody at the port": {
      says: /PostgreSQL could not be reached/,
      code: "UNREACHABLE",
      retryable: true,
      work: () => opened("postgres://postgres@127.0.0.1:1/postgres"),
    },
    "a host that has no address": {
      says: /PostgreSQL could not be reached/,
      code: "UNREACHABLE",
      retryable: true,
      work: () => opened("postgres://postgres@nowhere.invalid/postgres"),
    },
    "a port that cannot exist": {
      says: /no valid address/,
      code: "INVALID_OPTIONS",
      retryable: false,
      work: () => opened("postgres://postgres:hunter2@127.0.0.1:99999/postgres"),
    },
    "a server without TLS": {
      says: /TLS connection to PostgreSQL failed/,
      code: "STORE_FAILED",
      retryable: false,
      work: () => opened(`${server.url}?sslmode=verify-full`),
    },
    "57P01, a connection that an administrator ended": {
      says: /PostgreSQL could not be reached/,
      code: "UNREACHABLE",
      retryable: true,
      work: async () => {
        const store = await postgresStore({ connectionString: server.url });
        const holder = await admin.connect();
        await holder.query("BEGIN; LOCK TABLE thread_contexts IN ACCESS EXCLUSIVE MODE");
        const waiting = store.load("t", { key: "award_42" });
        const ended = async () => {
          const text =
            "SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
          while (((await admin.query(text)).rows[0] as { n: number }).n === 0);
        };
        try {
          await Promise.all([waiting, ended()]);
        } finally {
          await holder.query("ROLLBACK");
          holder.release();
          await store.close();
        }
      },
    },
  };

  for (const [fault, { says, code, retryable, work }] of Object.entries(faults)) {
    test(
      `${fault}: ${code}, ${retryable ? "worth repeating" : "permanent"} [EN-11]`,
      { timeout: PATIENCE },
      async () => {
        const error = await work().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(HebraError);
        expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) as string });
        expect(JSON.stringify(error)).not.toMatch(/wrong|hunter2/);
      },
    );
  }

  test(
    "a table that is locked elsewhere makes every verb fail with STORE_BUSY in about busyMs, and nothing is written [EN-8]",
    async () => {
      const pool = new pg.Pool({ connectionString: server.url, max: 3 });
      const busyMs = 800;
      const store = await postgresStore({ pool, busyMs });
      const locks = storeLocks(store);
      await playTurn(store, "busy", ids, 0);
      const holder = await admin.connect();
      const all = Object.values(tables).map(({ name }) => name);
      await holder.query(`BEGIN; LOCK TABLE ${all.join(", ")} IN ACCESS EXCLUSIVE MODE`);
      const next = turnIds("award_42", "m2");
      const verbs: Record<string, () => Promise<unknown>> = {
        begin: () => store.begin("busy", beginRunning("busy", next, { fence: 1, expectedSeq: 4 })),
        queue: () => store.begin("busy", beginQueued(next)),
        commit: () =>
          store.commit("busy", ids.contextId, { fence: 1, expectedSeq: 4 }, { context: { updatedAt: T0 }, events: [] }),
        takeOver: () => store.takeOver("busy", ids.contextId, 9),
        requestCancel: () => store.requestCancel("busy", ids.executionId, { at: T0 }),
        load: () => store.load("busy", { key: "award_42" }),
        history: () => store.history("busy", ids.contextId, { items: 40 }),
        list: () => store.list("busy"),
        export: () => store.export("busy", ids.contextId),
        sweep: () => store.system().sweep({ before: T0 }),
        lease: () => locks.acquire("busy", { waitMs: 0 }),
      };
      const pair = Object.entries(verbs);
      try {
        for (let i = 0; i < pair.length; i += 2) {
          await Promise.all(
            pair.slice(i, i + 2).map(async ([verb, work]) => {
              const start = performance.now();
              await expect(work(), verb).rejects.toMatchObject({ code: "STORE_BUSY", retryable: true });
              const took = performance.now() - start;
              expect(took, verb).toBeGreaterThan(busyMs * 0.9);
              expect(took, verb).toBeLessThan(busyMs + 1_500);
            }),
          );
        }
        // A pool whose connections all wait: the next caller does not wait longer than they.
        const crowd = Array.from({ length: 6 }, () => store.load("busy", { key: "award_42" }));
        for (const one of await Promise.allSettled(crowd))
          expect(one).toMatchObject({ status: "rejected", reason: { code: "STORE_BUSY" } });
      } finally {
        await holder.query("ROLLBACK");
        holder.release();
      }
      const after = (await store.load("busy", { key: "award_42" }))!;
      expect([after.context.seq, after.context.inboxSeq, after.context.fence, after.queued.length]).toEqual([
        4, 0, 1, 0,
      ]);
      await locks.close();
      await store.close();
      await pool.end();
    },
    PATIENCE,
  );

  test(
    "a server that no longer answers makes a call fail with UNREACHABLE in about busyMs [EN-8]",
    async () => {
      const store = await postgresStore({ connectionString: server.url, busyMs: 300 });
      await store.load("t", { key: "award_42" });
      const { rows } = (await admin.query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      )) as { rows: { pid: number }[] };
      for (const { pid } of rows) process.kill(pid, "SIGSTOP");
      try {
        await expect(store.load("t", { key: "award_42" })).rejects.toMatchObject({
          code: "UNREACHABLE",
          retryable: true,
        });
      } finally {
        for (const { pid } of rows) process.kill(pid, "SIGCONT");
      }
      await store.load("t", { key: "award_42" });
      await store.close();
    },
    PATIENCE,
  );
});

describe("codes that no server here gives on demand", () => {
  test.each([
    ["57P03", "UNREACHABLE", true],
    ["57P02", "UNREACHABLE", true],
    ["08006", "UNREACHABLE", true],
    ["53100", "STORE_FAILED", true],
    ["55P03", "STORE_BUSY", true],
    ["57014", "STORE_BUSY", true],
    ["25P03", "STORE_BUSY", true],
    ["40001", "STORE_BUSY", true],
    ["40P01", "STORE_BUSY", true],
    ["23505", "VERSION_CONFLICT", true],
    ["XX001", "STORE_FAILED", false],
    ["22P05", "STORE_FAILED", false],
    ["ECONNRESET", "UNREACHABLE", true],
    ["EPIPE", "UNREACHABLE", true],
    ["ETIMEDOUT", "UNREACHABLE", true],
    ["EAI_AGAIN", "UNREACHABLE", true],
    ["SELF_SIGNED_CERT_IN_CHAIN", "STORE_FAILED", false],
    ["CERT_HAS_EXPIRED", "STORE_FAILED", false],
  ])("%s is %s, worth repeating: %s [EN-11]", (code, meant, retryable) => {
    expect(wrapped(Object.assign(new Error("from the driver"), { code }))).toMatchObject({ code: meant, retryable });
  });
  test.each([
    ["Connection terminated unexpectedly", "UNREACHABLE", true],
    ["timeout exceeded when trying to connect", "UNREACHABLE", true],
    ["Cannot use a pool after calling end on the pool", "CLOSED", false],
    ["x is not a function", "STORE_FAILED", false],
  ])("%s is %s, worth repeating: %s [EN-11]", (message, meant, retryable) => {
    expect(wrapped(new Error(message))).toMatchObject({ code: meant, retryable });
  });
  test("an error of ours stays what it is", () => {
    const own = new HebraError("STALE_FENCE", "Stop.");
    expect(wrapped(own)).toBe(own);
    expect(explained(own, { code: "CLOSED", retryable: false, message: "x" }).cause).toBe(own);
  });
});
