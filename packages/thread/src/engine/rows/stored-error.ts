import { errorCode, errorMessage, HebraError } from "@hebra/core";
import type { StoredError } from "../../store/rows.ts";

const MAX_MESSAGE = 2_000;

/** An error as it is kept with a row: its code and message, cut to a length, never its stack or cause. */
export function storedError(error: unknown): StoredError {
  return {
    code: errorCode(error) ?? "REACTOR_FAILED",
    message: errorMessage(error).toWellFormed().slice(0, MAX_MESSAGE),
    retryable: HebraError.isInstance(error) && error.retryable,
  };
}
