import { errorMessage, HebraError, parseOptions, systemClock, type Clock, type ErrorCode } from "@hebra/core";
import * as z from "zod";
import { carefulFetch } from "./careful-fetch.ts";
import type { FlagContext, Mode } from "../../evaluate/types.ts";

/** One flag's evaluation, as OpenFeature's Remote Evaluation Protocol (OFREP 0.3.0) has it. */
export interface OfrepEvaluation {
  readonly key: string;
  readonly value?: unknown;
  readonly reason?: string;
  readonly variant?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly errorCode?: string;
  readonly errorDetails?: string;
}

/** Options of {@link ofrepClient}. */
export interface OfrepClientOptions {
  /** What stands before `/ofrep/v1`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds after which an unanswered request fails. @defaultValue 1,000 */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
}

/** A client of any OFREP server; each evaluation is a request. */
export interface OfrepClient {
  /**
   * @throws HebraError `FLAG_NOT_FOUND`, `PARSE_ERROR`, `TARGETING_KEY_MISSING`, `UNAUTHENTICATED`, `UNREACHABLE`,
   * `GENERAL`
   */
  evaluate(key: string, context: FlagContext): Promise<OfrepEvaluation>;
  /**
   * All flags for one context. Asked again for the same context it sends the `ETag` and gives the same answer at a 304.
   * @throws as {@link evaluate}
   */
  evaluateAll(context: FlagContext): Promise<readonly OfrepEvaluation[]>;
  /** The mode of a flag, for the `target` of a router: `true` and `"new"` are new. */
  target(key: string, context: FlagContext): Promise<Mode>;
}

const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  headers: z.record(z.string(), z.string()).default({}),
  timeoutMs: z.number().positive().default(1_000),
  fetch: z.custom<typeof globalThis.fetch>((value) => typeof value === "function").optional(),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
});

/** The contexts whose last bulk answer is kept. */
const KEPT_ANSWERS = 100;

/**
 * Asks a server to evaluate, over OFREP. What it says is a target: hand `target` to a router, where the local state
 * caps it.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { ofrepClient } from "@hebra/flags/http";
 *
 * const remote = ofrepClient({ url: "http://127.0.0.1:8016", timeoutMs: 200 });
 * const mode = await remote.target("engine-v2", { session: "s1" }).catch(() => "legacy");
 * console.log(mode);
 * ```
 */
export function ofrepClient(options: OfrepClientOptions): OfrepClient {
  const {
    url,
    headers,
    timeoutMs,
    fetch = globalThis.fetch,
    clock = systemClock,
  } = parseOptions("ofrepClient", schema, options);
  const base = `${url.replace(/\/+$/, "")}/ofrep/v1/evaluate/flags`;
  const answers = new Map<string, { readonly etag: string; readonly flags: readonly OfrepEvaluation[] }>();

  async function post(path: string, body: string, etag: string | undefined): Promise<Response> {
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () => timeout.abort());
    try {
      const response = await carefulFetch(fetch, `${base}${path}`, headers, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          ...(etag === undefined ? {} : { "if-none-match": etag }),
        },
        body,
        signal: timeout.signal,
      });
      const text = await response.text();
      return new Response(response.status === 304 ? null : text, {
        status: response.status,
        headers: response.headers,
      });
    } catch (cause) {
      throw new HebraError(
        "UNREACHABLE",
        `The OFREP server did not answer${timeout.signal.aborted ? ` within ${timeoutMs} ms` : `: ${errorMessage(cause)}`}.`,
        { cause },
      );
    } finally {
      cancel();
    }
  }

  const client: OfrepClient = {
    async evaluate(key, context) {
      const response = await post(`/${encodeURIComponent(key)}`, ofrepBody(context), undefined);
      const body = (await response.json().catch(() => ({}))) as Partial<OfrepEvaluation>;
      if (!response.ok) throw failure(response.status, key, body);
      return { ...body, key };
    },
    async evaluateAll(context) {
      const body = ofrepBody(context);
      const known = answers.get(body);
      const response = await post("", body, known?.etag);
      if (response.status === 304 && known !== undefined) return known.flags;
      const parsed = (await response.json().catch(() => ({}))) as { flags?: unknown };
      if (!response.ok || !Array.isArray(parsed.flags))
        throw failure(response.status, undefined, parsed as Partial<OfrepEvaluation>);
      const flags = parsed.flags as OfrepEvaluation[];
      const etag = response.headers.get("etag");
      if (etag !== null) {
        answers.delete(body);
        answers.set(body, { etag, flags });
        if (answers.size > KEPT_ANSWERS) answers.delete(answers.keys().next().value!);
      }
      return flags;
    },
    async target(key, context) {
      const { value } = await client.evaluate(key, context);
      if (value === true || value === "new") return "new";
      if (value === false || value === "legacy" || value === "shadow") return value === "shadow" ? "shadow" : "legacy";
      throw new HebraError("TYPE_MISMATCH", `The flag ${key} is neither a boolean nor one of legacy, shadow and new.`, {
        details: { key },
      });
    },
  };
  return client;
}

/** The body of a request: our ids are attributes of their names, the session is the targeting key. */
function ofrepBody({ session, project, org, attributes }: FlagContext): string {
  const targetingKey = session ?? project ?? org;
  return JSON.stringify({
    context: { ...attributes, ...(targetingKey === undefined ? {} : { targetingKey }), session, project, org },
  });
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  PARSE_ERROR: "PARSE_ERROR",
  TARGETING_KEY_MISSING: "TARGETING_KEY_MISSING",
  FLAG_NOT_FOUND: "FLAG_NOT_FOUND",
};

function failure(status: number, key: string | undefined, body: Partial<OfrepEvaluation>): HebraError {
  const code: ErrorCode =
    CODES[body.errorCode ?? ""] ??
    (status === 404
      ? "FLAG_NOT_FOUND"
      : status === 401 || status === 403
        ? "UNAUTHENTICATED"
        : status === 429 || status >= 500
          ? "UNREACHABLE"
          : "GENERAL");
  return new HebraError(
    code,
    `The OFREP server answered ${status}${key === undefined ? "" : ` for ${key}`}${body.errorDetails === undefined ? "" : `: ${body.errorDetails}`}.`,
    { details: { status, ...(key === undefined ? {} : { key }) } },
  );
}
