import { HebraError, type Clock } from "@hebra/core";
import { sqliteCode } from "./driver.ts";

/**
 * Does something as soon as no other process keeps it from it, without blocking the event loop meanwhile.
 *
 * @param busyMs - how long to try, in milliseconds
 * @throws HebraError `STORE_FAILED` when it takes longer, or for any other error of the database
 */
export async function patiently<T>(action: () => T, clock: Clock, busyMs: number): Promise<T> {
  const start = clock.monotonic();
  for (let attempt = 0; ; attempt++) {
    try {
      return action();
    } catch (error) {
      if (!sqliteCode(error).startsWith("SQLITE_BUSY")) throw wrapped(error);
      if (clock.monotonic() - start >= busyMs) {
        throw new HebraError("STORE_FAILED", `Another process kept the database busy for ${busyMs} ms.`, {
          cause: error,
          retryable: true,
        });
      }
      await new Promise<void>((resolve) => clock.after(Math.min(25, 1 + attempt * 2), resolve, { keepAlive: true }));
    }
  }
}

/** A library's error as one of ours. */
export function wrapped(error: unknown): unknown {
  if (HebraError.isInstance(error)) return error;
  if (sqliteCode(error).startsWith("SQLITE_CONSTRAINT")) {
    return new HebraError(
      "VERSION_CONFLICT",
      "A row of the same key is there already. Load the context again and repeat.",
      { cause: error },
    );
  }
  return new HebraError("STORE_FAILED", "SQLite refused or broke off a call.", { cause: error });
}
