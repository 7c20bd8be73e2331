import { errorCode, errorMessage, HebraError } from "@hebra/core";

/** Errors that a store threw. Of a model or a service, the same code means another thing. */
const storeErrors = new WeakSet<object>();

/** Remembers that a store threw an error. */
export function markStoreError(error: unknown): void {
  if (typeof error === "object" && error !== null) storeErrors.add(error);
}

const fromStore = (error: unknown): error is HebraError => HebraError.isInstance(error) && storeErrors.has(error);

/** A turn that kills its process must not come back for ever. */
export function tooManyAttempts(maxAttempts: number, last: unknown): HebraError {
  const why = HebraError.isInstance(last) ? ` The last time: ${last.message}` : "";
  return new HebraError(
    "ATTEMPTS_EXHAUSTED",
    `The turn was cut off ${maxAttempts} times and is not tried again.${why}`,
    { details: { maxAttempts }, ...(last === undefined ? {} : { cause: last }) },
  );
}

/** The conversation of a turn was deleted while it ran. */
export function deleted(executionId: string, cause?: unknown): HebraError {
  return new HebraError(
    "EXECUTION_NOT_FOUND",
    `The execution ${executionId} is no longer there: its conversation was deleted while it ran.`,
    { details: { executionId }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** The store has not got the turn any more: there is nothing to fail, to resume or to be stuck with. */
export function isDeleted(error: unknown): boolean {
  return fromStore(error) && (error.code === "CONTEXT_NOT_FOUND" || error.code === "EXECUTION_NOT_FOUND");
}

/** Another holder goes on with the turn. */
export function isTakenOver(error: unknown): boolean {
  const code = errorCode(error);
  return code === "STALE_FENCE" || code === "VERSION_CONFLICT" || code === "LOCK_LOST";
}

/** The store did not do what it was asked, and may do it later; nothing is wrong with the turn. */
export function isStoreError(error: unknown): boolean {
  return fromStore(error) && !isTakenOver(error) && (error.retryable || error.code === "CLOSED");
}

/** The store cannot be reached or is busy: the same call succeeds once it is back, however long that takes. */
export function isOutage(error: unknown): boolean {
  return fromStore(error) && error.retryable && error.code !== "STORE_FAILED" && !isTakenOver(error);
}

/**
 * Whether this process goes on with a conversation by itself after an error: once the store or the locks are back, or
 * once it has a lease again.
 */
export function isPassing(error: unknown): boolean {
  if (isStoreError(error)) return errorCode(error) !== "CLOSED";
  const code = errorCode(error);
  return code === "LOCK_LOST" || code === "UNREACHABLE" || code === "TIMEOUT" || code === "VERSION_CONFLICT";
}

/** Whether this process resumes a turn by itself after an error, so that its result is still to come here. */
export function isResumedHere(error: unknown): boolean {
  return isPassing(error) && errorCode(error) !== "VERSION_CONFLICT";
}

/** An error as a handle's `result` rejects with it: with a code of `docs/errors.md`, whoever threw it. */
export function documented(error: unknown): HebraError {
  if (HebraError.isInstance(error)) return error;
  return new HebraError("INTERNAL", `The turn could not go on: ${errorMessage(error)}`, { cause: error });
}
