import { errorMessage, HebraError } from "@hebra/core";

/** What happens before a request has left: the other side cannot have it. Everything else may have come after. */
const neverLeft = new Set<unknown>([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * What a call comes to that got no answer which could be read: `UNREACHABLE`, with `details.outcome` `unknown` unless
 * the request
 * certainly never left.
 *
 * @param scrub - takes secrets out of a text; the cause is left out, which would show addresses and headers
 */
export function noAnswer(what: string, error: unknown, scrub: (text: string) => string): HebraError {
  return new HebraError("UNREACHABLE", `${what}: ${scrub(errorMessage(error))}`, {
    details: { outcome: leftHere(error) ? "unknown" : "failed" },
  });
}

/** An error of `fetch` has its reason in its cause; where several addresses were tried, in that one's errors. */
function leftHere(error: unknown): boolean {
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  if (Array.isArray(errors) && errors.length > 0) return errors.some(leftHere);
  if (neverLeft.has(code)) return false;
  return typeof cause === "object" && cause !== null ? leftHere(cause) : true;
}
