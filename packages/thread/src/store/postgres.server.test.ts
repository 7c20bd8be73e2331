import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, withoutPostgresServer, type TestPostgres } from "@hebra/test-servers/postgres";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  outboxRow,
  partRow,
  T0,
  turnIds,
} from "./contract/rows.ts";
import { eventually, rejects } from "./contract/scenario.ts";
import { lockDirectory } from "./postgres/directory-lock.ts";
import { postgresMigrations, postgresStore } from "./postgres.ts";

const PATIENCE = 120_000;
const ids = turnIds("award_42", "m1");

/** A server of its own: transactions are counted by a number that all databases of a server share. */
describe.skipIf(withoutPostgresServer !== undefined)("postgresStore on a server", () => {
  let server: TestPostgres;
  let url: string;
  let pool: pg.Pool;
  const schema = `server_${process.pid}`;
  beforeAll(async () => {
    server = await startPostgres({ autovacuum: "off" });
    ({ url } = server);
    pool = new pg.Pool({ connectionString: url, max: 8 });
  }, PATIENCE);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  it(
    "is migrated once, however many try at once, and refused before",
    async () => {
      await rejects(postgresStore({ pool, schema }), "SCHEMA_NOT_APPLIED");
      const migrations = await postgresMigrations({ pool, schema });
      expect(await migrations.status()).toEqual({ version: 0, needed: 2, pending: [1, 2] });
      const all = await Promise.all(Array.from({ length: 5 }, () => migrations.apply()));
      expect(all.every((one) => one.version === 2 && one.pending.length === 0)).toBe(true);
      const { rows } = await pool.query(`SELECT count(*)::int AS n FROM ${schema}.thread_schema`);
      expect(rows).toEqual([{ n: 2 }]);
      await pool.query(`INSERT INTO ${schema}.thread_schema VALUES (9, 9, 0)`);
      await rejects(migrations.status(), "SCHEMA_TOO_NEW");
      await rejects(postgresStore({ pool, schema, migrations: "automatic" }), "SCHEMA_TOO_NEW");
      await pool.query(`UPDATE ${schema}.thread_schema SET compatible_from = 1 WHERE version = 9`);
      await (await postgresStore({ pool, schema })).close();
      await pool.query(`DELETE FROM ${schema}.thread_schema WHERE version = 9`);
    },
    PATIENCE,
  );

  it(
    "takes one transaction for each holder write",
    async () => {
      const store = await postgresStore({ pool, schema });
      const next = async () =>
        Number((await pool.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS x")).rows[0].x);
      const cost = async (work: () => Promise<unknown>) => {
        const before = await next();
        await work();
        return (await next()) - before;
      };
      expect(await cost(() => store.begin("t", beginRunning("t", ids, { fence: 1, expectedSeq: 0 })))).toBe(1);
      expect(
        await cost(() =>
          store.commit(
            "t",
            ids.contextId,
            { fence: 1, expectedSeq: 2 },
            {
              context: { updatedAt: T0 },
              parts: [partRow(ids, 0, "x")],
              calls: [callRow(ids, 0)],
              outbox: [outboxRow(ids, 0)],
              events: events("t", ids, 2, "part-created"),
            },
          ),
        ),
      ).toBe(1);
      expect(await cost(() => store.begin("t", beginQueued(ids)))).toBe(0);
      expect(await cost(() => store.load("t", { key: "award_42" }))).toBe(0);
      expect(await cost(() => store.history("t", ids.contextId, { items: 40 }))).toBe(0);
      expect(
        await cost(() => store.commit("t", ids.contextId, { fence: 1, expectedSeq: 3 }, ending("t", ids, 3, 2))),
      ).toBe(1);
      await store.close();
    },
    PATIENCE,
  );

  it(
    "hears of inbox writes at once, and again after its connection was cut",
    async () => {
      const store = await postgresStore({ connectionString: url, schema });
      let heard = 0;
      const stop = store.watch("t", ids.contextId, () => heard++);
      const listening = async () =>
        (
          await pool.query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND query LIKE $1", [
            `%${schema}%`,
          ])
        ).rows as { pid: number }[];
      const hears = async (n: number) => {
        const before = heard;
        await store.begin("t", beginQueued(turnIds("award_42", `more-${n}`)));
        await eventually(() => heard > before, "the call of the watcher");
      };
      await hears(1);
      for (const { pid } of await listening()) await pool.query("SELECT pg_terminate_backend($1)", [pid]);
      await hears(2);
      await hears(3);
      stop();
      await store.close();
    },
    PATIENCE,
  );

  it(
    "an idle connection of the host's pool that breaks off does not end the process [EN-1]",
    async () => {
      const own = new pg.Pool({ connectionString: url, max: 2 });
      const store = await postgresStore({ pool: own, schema });
      const { rows } = (await own.query("SELECT pg_backend_pid() AS pid")) as { rows: { pid: number }[] };
      const removed = new Promise((resolve) => own.once("remove", resolve));
      await pool.query("SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
      // Without a listener the pool's "error" event would have been thrown, and failed this run.
      await removed;
      expect(await store.load("t", { key: "nobody" })).toBe(undefined);
      await store.close();
      expect(own.listenerCount("error")).toBe(0);
      await own.end();
    },
    PATIENCE,
  );

  it(
    "a connection that breaks off at the moment it is handed out does not end the process [EN-1]",
    async () => {
      const victims = new pg.Pool({ connectionString: url, max: 6, application_name: "victim" });
      const store = await postgresStore({ pool: victims, schema });
      let ended = 0;
      const work = async () => {
        while (ended < 300) await store.load("t", { key: "nobody" }).catch(() => undefined);
      };
      const kill = async () => {
        while (ended < 300) {
          const { rows } = await pool.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'",
          );
          ended += rows.length;
        }
      };
      // An "error" event without a listener would be thrown, and fail this run.
      await Promise.all([kill(), ...Array.from({ length: 12 }, work)]);
      await expect.poll(() => store.load("t", { key: "nobody" }).catch(() => null)).toBe(undefined);
      await store.close();
      await victims.end();
    },
    PATIENCE,
  );

  it(
    "says so when the server is not there, and keeps secrets to itself",
    async () => {
      const error = await rejects(
        postgresStore({ connectionString: "postgres://user:hunter2@127.0.0.1:1/none" }),
        "UNREACHABLE",
      );
      expect(error.retryable).toBe(true);
      expect(JSON.stringify(error)).not.toContain("hunter2");
      await rejects(postgresStore({ connectionString: url, schema: 'x"; drop' }), "INVALID_OPTIONS");
      await rejects(postgresStore({}), "INVALID_OPTIONS");
    },
    PATIENCE,
  );
});

describe("a PGlite directory", () => {
  const parent = mkdtempSync(join(tmpdir(), "hebra-pglite-"));
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it(
    "is one process', keeps its data, and is free again afterwards",
    async () => {
      const pglite = join(parent, "data");
      const store = await postgresStore({ pglite });
      await store.begin("t", beginQueued(ids));
      await rejects(postgresStore({ pglite }), "STORE_LOCKED");
      await store.close();
      const again = await postgresStore({ pglite });
      expect((await again.load("t", { key: "award_42" }))?.queued).toHaveLength(1);
      await again.close();
    },
    PATIENCE,
  );

  it("is taken over from a process that is gone, and from none that lives", () => {
    const directory = join(parent, "other");
    // No process has the largest id that there can be.
    writeFileSync(`${directory}.lock`, String(2 ** 22 + 1));
    const release = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrowError(expect.objectContaining({ code: "STORE_LOCKED" }));
    release();
    lockDirectory(directory)();
    writeFileSync(`${directory}.lock`, String(process.ppid));
    expect(() => lockDirectory(directory)).toThrowError(expect.objectContaining({ code: "STORE_LOCKED" }));
  });
});
