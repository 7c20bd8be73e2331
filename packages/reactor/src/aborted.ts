import { HebraError } from "@hebra/core";

/** What a reactor throws when its signal aborts. */
export function abortedError(signal: AbortSignal): HebraError {
  return new HebraError("ABORTED", "The step was aborted.", { cause: signal.reason });
}
