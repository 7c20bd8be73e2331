import type { PostgresPort, PostgresSession, TransactionMode } from "./port.ts";

interface Options {
  rowMode: "array";
}

interface Queryable {
  query(text: string, values?: unknown[], options?: Options): Promise<{ rows: unknown[] }>;
}

/** What the store needs of PGlite. */
export interface PgliteInstance extends Queryable {
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T | undefined>;
  listen(channel: string, onMessage: (payload: string) => void): Promise<(transaction?: never) => Promise<void>>;
  close(): Promise<void>;
}

const session = (on: Queryable): PostgresSession => ({
  query: async (text, values = []) => (await on.query(text, [...values], { rowMode: "array" })).rows as unknown[][],
});

/**
 * PGlite as a port. It is one connection: every statement goes through its own `transaction`, which queues them, so
 * that
 * no statement lands in another's transaction.
 *
 * @param onClose - after it was closed, when it is the store's own
 */
export function pglitePort(database: PgliteInstance, onClose: (() => void) | undefined): PostgresPort {
  const transaction = async <T>(mode: TransactionMode, work: (own: PostgresSession) => Promise<T>): Promise<T> =>
    (await database.transaction(async (inner) => {
      const own = session(inner);
      if (mode === "snapshot") await own.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
      return work(own);
    })) as T;
  return {
    query: (text, values) => transaction("write", (own) => own.query(text, values)),
    transaction,
    async listen(channel, onMessage) {
      const stop = await database.listen(channel, onMessage);
      return () => stop();
    },
    async close() {
      if (onClose === undefined) return;
      await database.close();
      onClose();
    },
  };
}
