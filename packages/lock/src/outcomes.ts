import { HebraError } from "@hebra/core";

/** The errors of `acquire` that adapters share, so that all say the same. */
export const outcomes = {
  timeout: (key: string, waitMs: number) =>
    new HebraError(
      "LOCK_TIMEOUT",
      `The lock ${key} was not free within ${waitMs} ms. Try again later, or raise \`waitMs\`.`,
      {
        details: { key, waitMs },
      },
    ),
  aborted: (key: string, signal: AbortSignal) =>
    new HebraError("ABORTED", `Waiting for the lock ${key} was aborted.`, { cause: signal.reason, details: { key } }),
  closed: () => new HebraError("CLOSED", "The lock manager was closed. Create another one, or close it later."),
};
