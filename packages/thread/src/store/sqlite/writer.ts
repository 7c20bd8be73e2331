import type { Clock } from "@hebra/core";
import type { Verb } from "../verbs/op.ts";
import { patiently } from "./busy.ts";
import type { SqliteConnection } from "./driver.ts";
import { sqliteCode, wrapped } from "./errors.ts";

/** Runs verbs on a connection, many writes to a transaction. */
export interface Writer {
  write<T>(verb: () => Verb<T>): Promise<T>;
  read<T>(verb: () => Verb<T>): Promise<T>;
  /** Resolves when every write that was asked for has ended. */
  idle(): Promise<void>;
}

interface Job {
  run(): () => void;
  reject(error: unknown): void;
}

/**
 * Writes that arrive in one turn of the event loop share a transaction, and with it one sync to disk; each has a
 * savepoint,
 * so that one which is refused takes nothing of the others with it. When another process is writing, the group waits
 * without blocking the loop.
 *
 * @param perform - runs one verb; called inside a transaction. Returns its result and what to do once it has landed.
 * @param busyMs - how long to wait for other processes, in milliseconds
 * @param checkFile - throws when the connection's file is no longer at its path; what was written then is lost, so it
 *   is asked before anything counts as done
 */
export function createWriter(
  database: SqliteConnection,
  perform: <T>(verb: Verb<T>) => { value: T; landed: () => void },
  clock: Clock,
  busyMs: number,
  checkFile: () => void,
): Writer {
  const statement = (sql: string) => {
    const prepared = database.prepare(sql);
    return () => prepared.run([]);
  };
  // Not prepared: one that fails as busy stays in progress with libsql, and then nothing on this connection can be
  // committed.
  const begin = () => database.exec("BEGIN IMMEDIATE");
  const beginRead = statement("BEGIN");
  const commit = statement("COMMIT");
  const save = statement("SAVEPOINT one");
  const release = statement("RELEASE one");
  const back = statement("ROLLBACK TO one");
  let waiting: Job[] = [];
  let scheduled = false;
  let whenIdle: (() => void)[] = [];

  const rollback = () => {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself.
    }
  };

  /** One attempt at a group: all its transactions' work, and then what each job is to be told. */
  const attempt = (group: readonly Job[]): (() => void)[] => {
    begin();
    const outcomes: (() => void)[] = [];
    try {
      for (const job of group) {
        if (group.length > 1) save();
        try {
          outcomes.push(job.run());
          if (group.length > 1) release();
        } catch (error) {
          if (sqliteCode(error) === "SQLITE_BUSY") throw error;
          outcomes.push(() => job.reject(wrapped(error)));
          if (group.length === 1) {
            rollback();
            return outcomes;
          }
          back();
          release();
        }
      }
      commit();
      return outcomes;
    } catch (error) {
      rollback();
      throw error;
    }
  };

  const flush = async () => {
    const group = waiting;
    waiting = [];
    try {
      const outcomes = await patiently(() => attempt(group), clock, busyMs);
      checkFile();
      for (const outcome of outcomes) outcome();
    } catch (error) {
      for (const job of group) job.reject(error);
    }
    scheduled = waiting.length > 0;
    if (scheduled) setImmediate(() => void flush());
    else {
      for (const resolve of whenIdle) resolve();
      whenIdle = [];
    }
  };

  return {
    write: (verb) =>
      new Promise((resolve, reject) => {
        const run = () => {
          const { value, landed } = perform(verb());
          return () => {
            landed();
            resolve(value);
          };
        };
        waiting.push({ run, reject });
        if (scheduled) return;
        scheduled = true;
        setImmediate(() => void flush());
      }),
    read: (verb) =>
      patiently(
        () => {
          beginRead();
          try {
            const { value } = perform(verb());
            commit();
            checkFile();
            return value;
          } catch (error) {
            rollback();
            throw error;
          }
        },
        clock,
        busyMs,
      ),
    idle: () => (scheduled ? new Promise((resolve) => whenIdle.push(resolve)) : Promise.resolve()),
  };
}
