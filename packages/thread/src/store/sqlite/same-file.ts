import { statSync } from "node:fs";
import { HebraError } from "@hebra/core";
import type { SqliteConnection } from "./driver.ts";

const identity = (path: string): string | undefined => {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
};

/**
 * Tells whether the file of a connection is still the one at its path. SQLite goes on reading and writing a file that
 * was deleted or replaced, and everything written to it is gone when the process ends.
 *
 * @returns a check for after each transaction, a few microseconds long @throws HebraError `STORE_FAILED`
 */
export function watchFile(database: SqliteConnection): () => void {
  const main = database.prepare("PRAGMA database_list").all([]);
  const path = main.find(([, name]) => name === "main")?.[2];
  if (typeof path !== "string" || path === "") return () => undefined;
  const opened = identity(path);
  return () => {
    if (identity(path) === opened) return;
    throw new HebraError(
      "STORE_FAILED",
      "The SQLite file was deleted or replaced while it was in use. What this process writes is not kept: put the file back if you can, and restart the process.",
      { retryable: false },
    );
  };
}
