import { HebraError } from "@hebra/core";

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

/** The SQLSTATE of an error of the server: https://www.postgresql.org/docs/15/errcodes-appendix.html */
export function sqlState(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** Codes after which the same work may succeed: serialization failure, deadlock. */
const REPEATABLE = new Set(["40001", "40P01"]);

/** Another wrote a row of the same key meanwhile. */
export const TAKEN = "23505";

/** Whether the same work, begun anew, may succeed. */
export function isRepeatable(error: unknown): boolean {
  const code = sqlState(error);
  return code !== undefined && (REPEATABLE.has(code) || code === TAKEN);
}

/** A driver's error as one of ours. */
export function wrapped(error: unknown): unknown {
  if (HebraError.isInstance(error)) return error;
  const code = sqlState(error);
  if (code === TAKEN) {
    return new HebraError(
      "VERSION_CONFLICT",
      "A row of the same key is there already. Load the context again and repeat.",
      { cause: error },
    );
  }
  if (code === "55P03" || code === "25P03") {
    return new HebraError(
      "STORE_FAILED",
      "Another process kept for too long what this write needs, or this one stood still in the middle of it. Nothing was written; repeat it.",
      { cause: error, retryable: true, details: { sqlState: code } },
    );
  }
  if (code === "42P01" || code === "42703" || code === "3F000") {
    return new HebraError(
      "SCHEMA_NOT_APPLIED",
      "The store's tables are missing or older than this build needs. Apply its migrations.",
      { cause: error },
    );
  }
  if (code === undefined || code.startsWith("08") || code.startsWith("57P") || /^E[A-Z]+$/.test(code)) {
    return new HebraError(
      "UNREACHABLE",
      "PostgreSQL could not be reached, or the connection broke off. Whether the last write landed is unknown; it can be repeated.",
      { cause: error },
    );
  }
  return new HebraError("STORE_FAILED", `PostgreSQL refused a statement (SQLSTATE ${code}).`, {
    cause: error,
    details: { sqlState: code },
  });
}
