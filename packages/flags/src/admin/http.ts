import { didYouMean, errorMessage, HebraError, type ErrorCode } from "@hebra/core";

const STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  POLICY_REFUSED: 403,
  FLAG_NOT_FOUND: 404,
  INCIDENT_NOT_FOUND: 404,
  ILLEGAL_TRANSITION: 409,
  EVIDENCE_MISSING: 409,
  EVIDENCE_TAMPERED: 409,
  ROLLOUT_CONFLICT: 409,
  STALE_FENCE: 409,
  REVISION_CONFLICT: 412,
  INVALID_OPTIONS: 400,
  FLAG_INVALID: 400,
  PARSE_ERROR: 400,
  INVALID_ID: 400,
  TARGETING_KEY_MISSING: 400,
  UNREACHABLE: 503,
  STORE_FAILED: 503,
  TIMEOUT: 504,
};

/** A JSON answer. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/** An error as `application/problem+json` (RFC 9457). What is not ours shows nothing of itself. */
export function problem(error: unknown): Response {
  const known = HebraError.isInstance(error);
  const tooLarge = known && error.details["limitBytes"] !== undefined;
  const status = tooLarge ? 413 : known ? (STATUS[error.code] ?? 500) : 500;
  const body =
    known && status !== 500
      ? { title: error.code, detail: error.message, code: error.code, details: error.details }
      : { title: "INTERNAL", detail: "The request failed; see the server's log.", code: "INTERNAL" };
  return new Response(JSON.stringify({ type: "about:blank", status, ...body }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="hebra-flags"' } : {}),
    },
  });
}

/** Largest body that is read. */
const MOST_BYTES = 1_000_000;

/** The body as text, read no further than it may be long. @throws HebraError `PARSE_ERROR` */
async function textOf(request: Request): Promise<string> {
  const tooLarge = () =>
    new HebraError("PARSE_ERROR", `The body is larger than ${MOST_BYTES} bytes.`, {
      details: { limitBytes: MOST_BYTES },
    });
  if (Number(request.headers.get("content-length") ?? 0) > MOST_BYTES) throw tooLarge();
  if (request.body === null) return "";
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.byteLength;
    if (length > MOST_BYTES) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge();
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks).toString();
}

/** The JSON body; `{}` when there is none. @throws HebraError `PARSE_ERROR` */
export async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  const text = await textOf(request).catch((error: unknown) => {
    throw HebraError.isInstance(error)
      ? error
      : new HebraError("PARSE_ERROR", "The body ended too soon.", { cause: error });
  });
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HebraError("PARSE_ERROR", `The body is not JSON: ${errorMessage(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HebraError("PARSE_ERROR", "The body must be a JSON object.");
  return value as Record<string, unknown>;
}

/** A text member of a body. @throws HebraError `INVALID_OPTIONS` */
export function text(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || value.trim() === "")
    throw new HebraError("INVALID_OPTIONS", `The body needs a text \`${name}\`.`);
  return value;
}

/**
 * A member that a request does not take is a mistake of whoever sent it: left aside it would be missed.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export function onlyKnown(what: string, body: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const stranger = Object.keys(body).find((name) => !known.includes(name));
  if (stranger === undefined) return;
  const near = didYouMean(stranger, known);
  throw new HebraError(
    "INVALID_OPTIONS",
    `\`${what}\` takes no \`${stranger}\`${near === undefined ? "" : `; did you mean \`${near}\`?`} It takes: ${known.join(", ")}.`,
  );
}

/** What a route gets. */
export interface RouteCall<C> {
  readonly request: Request;
  readonly url: URL;
  /** The parts of the path that the pattern names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly context: C;
}

/** One route: method, pattern (`/v1/flags/:key`), what it does. */
export type RouteEntry<C> = readonly [
  method: string,
  pattern: string,
  serve: (call: RouteCall<C>) => Promise<Response>,
];

/** The parts of a path that a pattern names, or nothing when it does not fit. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    if (part.startsWith(":")) {
      try {
        params[part.slice(1)] = decodeURIComponent(given[at]!);
      } catch {
        return undefined;
      }
    } else if (part !== given[at]) return undefined;
  }
  return params;
}
