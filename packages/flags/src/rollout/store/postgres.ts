import { errorMessage, HebraError, loadPeer, parseOptions } from "@hebra/core";
import * as z from "zod";
import type { CounterRow } from "../counter-row.ts";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";
import { checkCommit } from "./check-commit.ts";
import type { RolloutStore } from "./store.ts";

/** The part of a `pg` client that the store uses. */
export interface RolloutPostgresClient {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}

/** The part of a `pg` pool that the store uses. */
export interface RolloutPostgresPool extends RolloutPostgresClient {
  connect(): Promise<RolloutPostgresClient & { release(error?: boolean): void }>;
  end(): Promise<void>;
}

/** Options of {@link postgresRolloutStore}: a pool, which stays the host's to end, or a connection string. */
export interface PostgresRolloutStoreOptions {
  readonly pool?: RolloutPostgresPool;
  readonly connectionString?: string;
  /** Schema of the tables; made when it does not exist. @defaultValue "hebra" */
  readonly schema?: string;
}

const optionsSchema = z.strictObject({
  pool: z
    .custom<RolloutPostgresPool>(
      (value) => typeof (value as RolloutPostgresPool | null)?.connect === "function",
      "must be a pg pool",
    )
    .optional(),
  connectionString: z.string().optional(),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
    .default("hebra"),
});

/**
 * A rollout store in PostgreSQL. The tables are made on first use. JSON is kept as text: evidence is hashed, so it must
 * come back as it was written.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when `connectionString` is given and pg is not installed;
 * `UNREACHABLE`
 *
 * @example
 * ```ts
 * import { createRolloutService } from "@hebra/flags/rollout";
 * import { postgresRolloutStore } from "@hebra/flags/postgres";
 *
 * export async function serviceOf(connectionString: string) {
 *   return createRolloutService({ store: await postgresRolloutStore({ connectionString }) });
 * }
 * ```
 */
export async function postgresRolloutStore(options: PostgresRolloutStoreOptions): Promise<RolloutStore> {
  const { pool: given, connectionString, schema } = parseOptions("postgresRolloutStore", optionsSchema, options);
  if ((given === undefined) === (connectionString === undefined))
    throw new HebraError("INVALID_OPTIONS", "postgresRolloutStore needs either a `pool` or a `connectionString`.");
  const pool = given ?? (await connect(connectionString!));
  let closed = false;

  async function call<T>(work: () => Promise<T>): Promise<T> {
    if (closed) throw new HebraError("CLOSED", "The rollout store is closed.");
    try {
      return await work();
    } catch (error) {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError(
        "UNREACHABLE",
        `PostgreSQL did not take a call of the rollout store: ${errorMessage(error)}`,
        { cause: error },
      );
    }
  }

  try {
    await call(() => createTables(pool, schema));
  } catch (error) {
    if (given === undefined) await pool.end().catch(() => undefined);
    throw error;
  }
  const stored = (text: unknown): RolloutState => JSON.parse(String(text)) as RolloutState;

  return {
    list: () =>
      call(async () =>
        (await pool.query(`select flag from ${schema}.rollouts order by flag collate "C"`)).rows.map((row) =>
          String(row["flag"]),
        ),
      ),
    read: (flag) =>
      call(async () => {
        const { rows } = await pool.query(`select state from ${schema}.rollouts where flag = $1`, [flag]);
        return rows[0] === undefined ? undefined : stored(rows[0]["state"]);
      }),
    commit: (commit) =>
      call(async () => {
        const client = await pool.connect();
        let broken = true;
        try {
          await client.query("begin");
          const { flag, revision, fence } = commit.state;
          // An advisory lock also orders the first two writers, who find no row to lock.
          await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
            `hebra-rollout ${schema} ${flag}`,
          ]);
          const { rows } = await client.query(`select state from ${schema}.rollouts where flag = $1`, [flag]);
          try {
            checkCommit(commit, rows[0] === undefined ? undefined : stored(rows[0]["state"]));
          } catch (error) {
            await client.query("rollback");
            broken = false;
            throw error;
          }
          await client.query(
            `insert into ${schema}.rollouts (flag, revision, fence, state) values ($1, $2, $3, $4)
             on conflict (flag) do update set revision = excluded.revision, fence = excluded.fence, state = excluded.state`,
            [flag, revision, fence, JSON.stringify(commit.state)],
          );
          for (const record of commit.evidence) {
            await client.query(`insert into ${schema}.rollout_evidence (flag, sequence, record) values ($1, $2, $3)`, [
              flag,
              record.sequence,
              JSON.stringify(record),
            ]);
          }
          await client.query("commit");
          broken = false;
        } finally {
          client.release(broken);
        }
      }),
    evidence: (flag) =>
      call(async () => {
        const { rows } = await pool.query(
          `select record from ${schema}.rollout_evidence where flag = $1 order by sequence`,
          [flag],
        );
        return rows.map((row) => JSON.parse(String(row["record"])) as EvidenceRecord);
      }),
    report: (rows) =>
      call(async () => {
        for (const row of rows) {
          await pool.query(
            `insert into ${schema}.rollout_counters (flag, source, started, ended, sequence, counts) values ($1, $2, $3, $4, $5, $6)
             on conflict (flag, source, started) do update set ended = excluded.ended, sequence = excluded.sequence, counts = excluded.counts
             where ${schema}.rollout_counters.sequence < excluded.sequence`,
            [row.flag, row.source, row.start, row.end, row.sequence, JSON.stringify(row)],
          );
        }
      }),
    counters: (flag, from) =>
      call(async () => {
        const { rows } = await pool.query(
          `select counts from ${schema}.rollout_counters where flag = $1 and started >= $2`,
          [flag, from],
        );
        return rows.map((row) => JSON.parse(String(row["counts"])) as CounterRow);
      }),
    prune: (flag, before) =>
      call(
        async () =>
          void (await pool.query(`delete from ${schema}.rollout_counters where flag = $1 and ended < $2`, [
            flag,
            before,
          ])),
      ),
    async close() {
      if (closed) return;
      closed = true;
      if (given === undefined) await pool.end();
    },
  };
}

async function createTables(pool: RolloutPostgresPool, schema: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    // Two processes that start together would both find nothing: `if not exists` alone is not safe against that.
    await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`hebra-rollout-tables ${schema}`]);
    await client.query(`create schema if not exists ${schema}`);
    await client.query(
      `create table if not exists ${schema}.rollouts (flag text primary key, revision bigint not null, fence bigint not null, state text not null)`,
    );
    await client.query(
      `create table if not exists ${schema}.rollout_evidence (flag text not null, sequence bigint not null, record text not null, primary key (flag, sequence))`,
    );
    await client.query(`create table if not exists ${schema}.rollout_counters (
      flag text not null, source text not null, started double precision not null, ended double precision not null,
      sequence bigint not null, counts text not null, primary key (flag, source, started))`);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

async function connect(connectionString: string): Promise<RolloutPostgresPool> {
  const { default: pg } = await loadPeer(
    { name: "pg", range: "^8.0.0", neededBy: "@hebra/flags/postgres" },
    () => import("pg"),
  );
  const pool = new pg.Pool({ connectionString });
  pool.on("error", () => {});
  return pool as unknown as RolloutPostgresPool;
}
