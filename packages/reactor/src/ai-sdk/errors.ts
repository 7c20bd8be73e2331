import { HebraError, parseRetryAfter, type JsonValue } from "@hebra/core";
import { abortedError } from "../aborted.ts";
import { overflowOf } from "./overflow.ts";
import { briefCause, cleanText, messageOf } from "./clean-error.ts";

/** Errors that the same call would meet again, by the AI SDK's name for them. */
const permanent: ReadonlySet<string> = new Set([
  "AI_InvalidPromptError",
  "AI_InvalidArgumentError",
  "AI_InvalidDataContentError",
  "AI_InvalidMessageRoleError",
  "AI_LoadAPIKeyError",
  "AI_LoadSettingError",
  "AI_MessageConversionError",
  "AI_MissingToolResultsError",
  "AI_NoSuchModelError",
  "AI_NoSuchProviderError",
  "AI_NoSuchProviderReferenceError",
  "AI_UnsupportedFunctionalityError",
  "AI_UnsupportedModelVersionError",
  "GatewayAuthenticationError",
  "GatewayError",
]);

interface Foreign {
  name?: unknown;
  statusCode?: unknown;
  isRetryable?: unknown;
  responseHeaders?: unknown;
  lastError?: unknown;
  code?: unknown;
}

/**
 * The one error that a step ends with. Of the foreign error there remain its name, message, status and stack: never its
 * request, response or headers, which hold the conversation and credentials.
 */
export function toModelError(error: unknown, signal: AbortSignal, now: () => number): HebraError {
  if (signal.aborted) return abortedError(signal);
  if (HebraError.isInstance(error)) return error;
  const found = lastOf(error);
  const status = typeof found.statusCode === "number" ? found.statusCode : undefined;
  const name = typeof found.name === "string" ? found.name : undefined;
  const retryAfterMs = readRetryAfter(found.responseHeaders, now);
  const details: Record<string, JsonValue> = {
    ...(name === undefined ? {} : { error: name }),
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const text = cleanText(messageOf(found), name);
  const overflow = overflowOf(found, status);
  if (overflow !== undefined)
    return new HebraError("PROMPT_TOO_LONG", `The model's provider refused the prompt as too long: ${text}`, {
      cause: briefCause(found),
      details: { ...details, ...overflow },
    });
  return new HebraError(
    "REACTOR_FAILED",
    `The model call failed${status === undefined ? "" : ` with status ${status}`}: ${text}`,
    {
      cause: briefCause(found),
      retryable: isRetryable(found, status, name),
      details,
    },
  );
}

/** The AI SDK's retries end with an error that holds the last one. */
function lastOf(error: unknown): Foreign {
  const inner = (error as Foreign | null | undefined)?.lastError;
  return (
    typeof inner === "object" && inner !== null
      ? inner
      : typeof error === "object" && error !== null
        ? error
        : new Error(messageOf(error))
  ) as Foreign;
}

function isRetryable({ isRetryable: said }: Foreign, status: number | undefined, name: string | undefined): boolean {
  if (typeof said === "boolean") return said;
  if (name !== undefined && permanent.has(name)) return false;
  return status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;
}

/** `retry-after-ms`, which some providers send, or `retry-after`. */
function readRetryAfter(headers: unknown, now: () => number): number | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const lower = Object.fromEntries(
    Object.entries(headers as Record<string, unknown>).map(([key, value]) => [key.toLowerCase(), String(value)]),
  );
  const exact = Number.parseFloat(lower["retry-after-ms"] ?? "");
  if (exact >= 0) return Math.round(exact);
  return parseRetryAfter(lower["retry-after"], now());
}
