/** A value of a query, as it goes to the server and as it comes back. */
export type SqlValue = string | number | null;

/** What the store needs of a connection to PostgreSQL. */
export interface PostgresSession {
  /**
   * Runs one statement.
   *
   * @param name - under which the statement may be prepared and kept
   * @returns rows, each as its columns' values in order
   */
  query(text: string, values?: readonly SqlValue[], name?: string): Promise<unknown[][]>;
}

/**
 * `write` and `schema` wait for others, `schema` for as long as a migration may take; a `snapshot` reads all of one
 * moment.
 */
export type TransactionMode = "write" | "snapshot" | "schema";

/** The port to PostgreSQL: a pool of `pg`, or PGlite, behind one shape. */
export interface PostgresPort extends PostgresSession {
  /**
   * Runs statements in one transaction: all of it lands, or nothing when `work` throws. With a server, a transaction
   * whose
   * process stands still is ended by the server before others give up waiting for it.
   */
  transaction<T>(mode: TransactionMode, work: (session: PostgresSession) => Promise<T>): Promise<T>;
  /**
   * Listens to a channel until told to stop.
   *
   * @param onLost - the connection broke off; listening has ended
   */
  listen(channel: string, onMessage: (payload: string) => void, onLost: () => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}
