import type { Clock } from "@hebra/core";
import { sqliteCode, wrapped } from "./errors.ts";

/**
 * Does something as soon as no other process keeps it from it, without blocking the event loop meanwhile.
 *
 * @param busyMs - how long to try, in milliseconds
 * @throws HebraError `STORE_BUSY` when it takes longer; what {@link wrapped} makes of any other error
 */
export async function patiently<T>(action: () => T, clock: Clock, busyMs: number): Promise<T> {
  const start = clock.monotonic();
  for (let attempt = 0; ; attempt++) {
    try {
      return action();
    } catch (error) {
      if (sqliteCode(error) !== "SQLITE_BUSY" || clock.monotonic() - start >= busyMs) throw wrapped(error);
      await new Promise<void>((resolve) => clock.after(Math.min(25, 1 + attempt * 2), resolve, { keepAlive: true }));
    }
  }
}
