/**
 * A process that stops itself (SIGSTOP) in the middle of one piece of work with a store: after the nth command that it
 * sends to
 * the database, or before it. When it is woken it goes on, and says what came of the work.
 */
import libsql from "libsql";
import pg from "pg";
import { Redis } from "ioredis";
import { errorCode, HebraError } from "@hebra/core";
import { storeLocks, type ThreadStore } from "@hebra/thread";
import { postgresStore, type PgClient, type PgPool } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { sqliteStore, type SqliteInstance } from "@hebra/thread/store/sqlite";

/** The database, and how long the store is patient. */
export type FrozenStore =
  | { kind: "sqlite"; path: string }
  | { kind: "postgres"; url: string; schema: string; application: string; busyMs: number }
  | { kind: "redis"; url: string; namespace: string };

/** What is done. */
export type FrozenWork =
  | { verb: "acquire"; key: string; ttlMs: number }
  | { verb: "decide"; approvalId: string }
  | { verb: "cancel"; executionId: string };

export interface FrozenJob {
  store: FrozenStore;
  work: FrozenWork;
  /** After how many commands it stops, from 1. With more than there are it never does. */
  stopAfter: number;
}

/** What it says: that it stops now, or how it ended. */
export type FrozenSaid = { stops: true } | { outcome: string; retryable: boolean | undefined; commands: number };

let counting = false;
let commands = 0;

/** Stops this process when enough was sent. */
function sent(): void {
  if (counting && ++commands === job.stopAfter) process.kill(process.pid, "SIGSTOP");
}

function watchedPool({ url, application }: Extract<FrozenStore, { kind: "postgres" }>): PgPool {
  const pool = new pg.Pool({ connectionString: url, max: 2, application_name: application });
  pool.on("error", () => undefined);
  type Query = PgPool["query"];
  const watched =
    (query: Query): Query =>
    async (config) => {
      const result = await query(config);
      sent();
      return result;
    };
  return {
    query: watched((config) => pool.query(config) as unknown as ReturnType<Query>),
    end: () => pool.end(),
    async connect() {
      const client = (await pool.connect()) as unknown as PgClient;
      return new Proxy(client, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown;
          if (name === "query") return watched((config) => target.query(config));
          return typeof member === "function" ? (member as (...args: unknown[]) => unknown).bind(target) : member;
        },
      });
    },
  };
}

function watchedSqlite(path: string): SqliteInstance {
  const database = new libsql(path) as unknown as SqliteInstance;
  return {
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql) as { run(...values: unknown[]): unknown };
      if (sql !== "COMMIT") return statement;
      return {
        run(...values: unknown[]) {
          // Everything is written and nothing is committed: the lock of the file is held.
          sent();
          return statement.run(...values);
        },
      };
    },
  };
}

async function open(store: FrozenStore): Promise<ThreadStore> {
  switch (store.kind) {
    case "sqlite":
      return sqliteStore({ driver: watchedSqlite(store.path) });
    case "postgres":
      return postgresStore({ pool: watchedPool(store), schema: store.schema, busyMs: store.busyMs });
    case "redis": {
      const client = new Redis(store.url);
      const { call } = client;
      client.call = async function (this: Redis, ...args: unknown[]) {
        const result: unknown = await Reflect.apply(call, this, args);
        sent();
        return result;
      } as typeof client.call;
      return redisStore({ client, namespace: store.namespace });
    }
  }
}

async function perform(store: ThreadStore, work: FrozenWork): Promise<string> {
  switch (work.verb) {
    case "acquire":
      return `fence ${(await storeLocks(store).acquire(work.key, { ttlMs: work.ttlMs, waitMs: 0 })).fence}`;
    case "decide":
      return (await store.decideApproval("default", work.approvalId, { decision: "approved", at: Date.now() })).status;
    case "cancel":
      await store.requestCancel("default", work.executionId, { at: Date.now() });
      return "asked";
  }
}

const job = JSON.parse(process.argv[2]!) as FrozenJob;
const store = await open(job.store);
await store.load("default", { key: "nobody" });
counting = true;
let said: FrozenSaid;
try {
  said = { outcome: await perform(store, job.work), retryable: undefined, commands };
} catch (error) {
  said = {
    outcome: errorCode(error) ?? String(error),
    retryable: HebraError.isInstance(error) ? error.retryable : undefined,
    commands,
  };
}
process.send!(said, () => process.exit(0));
