import { errorCodes, HebraError, type ErrorCode } from "@hebra/core";

/** The status of each code that a request can meet; any other is 500. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  INVALID_OPTIONS: 400,
  INVALID_ID: 400,
  NOT_SERIALIZABLE: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  THREAD_NOT_FOUND: 404,
  CONTEXT_NOT_FOUND: 404,
  EXECUTION_NOT_FOUND: 404,
  ITEM_NOT_FOUND: 404,
  APPROVAL_NOT_FOUND: 404,
  TRIGGER_MISMATCH: 409,
  THREAD_BUSY: 409,
  VERSION_CONFLICT: 409,
  CONTEXT_CLOSED: 409,
  APPROVAL_DECIDED: 409,
  ILLEGAL_TRANSITION: 409,
  APPROVAL_EXPIRED: 410,
  ENVELOPE_TOO_LARGE: 413,
  ACTION_INPUT_INVALID: 422,
  ACTION_OUTPUT_INVALID: 422,
  BACKLOG_FULL: 429,
  CLOSED: 503,
  CONTEXT_MIGRATING: 503,
  DEFINITION_MISSING: 503,
  LEASE_LOST: 503,
  LOCK_LOST: 503,
  LOCK_TIMEOUT: 503,
  STALE_FENCE: 503,
  STORE_BUSY: 503,
  STORE_FAILED: 503,
  STORE_LOCKED: 503,
  TIMEOUT: 503,
  UNREACHABLE: 503,
};

/** Characters of a detail at most. */
const MAX_DETAIL = 1_000;

/** The same, where another status says it better: an unknown path, a wrong method, a wrong type of body. */
export interface ProblemOptions {
  status?: number;
  headers?: Record<string, string>;
}

/**
 * An error as `application/problem+json` (RFC 9457). Of a failure of the server only the code's own explanation is
 * shown: its message may name hosts.
 */
export function problem(error: unknown, { status: given, headers = {} }: ProblemOptions = {}): Response {
  const known = HebraError.isInstance(error) ? error : new HebraError("INTERNAL", "", { cause: error });
  const status = given ?? statusOf[known.code] ?? 500;
  const code: ErrorCode = status === 500 ? "INTERNAL" : known.code;
  const { summary, fix } = errorCodes[code];
  const detail = status < 500 ? known.message : status === 500 ? "The request failed; see the server's log." : fix;
  return new Response(
    JSON.stringify({
      type: "about:blank",
      title: summary,
      status,
      code,
      detail: detail.length > MAX_DETAIL ? `${detail.slice(0, MAX_DETAIL - 1)}…` : detail,
      retryable: status === 429 || status === 503,
    }),
    {
      status,
      headers: {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
        ...(status === 429 || status === 503 ? { "retry-after": "1" } : {}),
        ...headers,
      },
    },
  );
}

/** A JSON answer. */
export const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
