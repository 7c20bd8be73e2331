import { errorCode, errorMessage, HebraError, redactText } from "@hebra/core";
import { storableText } from "../../definition/storable.ts";
import type { StoredError } from "../../store/rows.ts";

const MAX_MESSAGE = 2_000;
/** Read for secrets: more than is kept, so that none is cut in half and kept. */
const MAX_READ = 20_000;

/**
 * An error as it is kept with a row and shown to the model: its code and message, with secrets redacted. Its stack and
 * cause are not kept.
 *
 * @param fallback - the code of an error that has none
 */
export function storedError(error: unknown, fallback: StoredError["code"] = "REACTOR_FAILED"): StoredError {
  return {
    code: errorCode(error) ?? fallback,
    message: storedMessage(errorMessage(error)),
    retryable: HebraError.isInstance(error) && error.retryable,
  };
}

/** The message of an error as it is kept. */
export function storedMessage(message: string): string {
  return storableText(redactText(storableText(message.slice(0, MAX_READ))).slice(0, MAX_MESSAGE));
}
