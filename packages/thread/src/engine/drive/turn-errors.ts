import { errorCode, HebraError } from "@hebra/core";

/** A turn that kills its process must not come back for ever. */
export function tooManyAttempts(maxAttempts: number): HebraError {
  return new HebraError("ATTEMPTS_EXHAUSTED", `The turn was cut off ${maxAttempts} times and is not tried again.`, {
    details: { maxAttempts },
  });
}

/** Another holder goes on with the turn. */
export function isTakenOver(error: unknown): boolean {
  const code = errorCode(error);
  return code === "STALE_FENCE" || code === "VERSION_CONFLICT" || code === "LOCK_LOST";
}

/** The store did not do what it was asked; nothing is wrong with the turn. */
export function isStoreError(error: unknown): boolean {
  const code = errorCode(error);
  return (
    code === "STORE_FAILED" ||
    code === "STORE_BUSY" ||
    code === "UNREACHABLE" ||
    code === "TIMEOUT" ||
    code === "CLOSED" ||
    code === "STORE_LOCKED"
  );
}
