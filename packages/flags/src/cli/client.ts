import { errorMessage, HebraError, type JsonValue } from "@hebra/core";
import type { CliIo, ExitCode } from "./io.ts";

/** An answer that was not a success. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly missing: readonly { readonly item: string; readonly detail: string }[];
}

/** The admin refused. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }

  /** What the command ends with. */
  get exitCode(): ExitCode {
    const { status } = this.refusal;
    if (status === 401 || status === 403 || status >= 500) return 3;
    return status === 400 ? 2 : 1;
  }
}

/** What the admin said. */
export interface Answer<T> {
  readonly body: T;
  readonly etag: string | null;
}

/** Calls the admin. */
export interface AdminClient {
  /** @throws HebraError `UNREACHABLE`; {@link Refused} */
  call<T>(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer<T>>;
}

/** How long the admin may take, ms. */
const TIMEOUT_MS = 15_000;

/** @throws HebraError `INVALID_OPTIONS` without an address, or with one that is none */
export function adminClient(io: CliIo, url: string | undefined, token: string | undefined): AdminClient {
  if (url === undefined || url === "")
    throw new HebraError("INVALID_OPTIONS", "Where is the admin? Set HEBRA_FLAGS_URL, or give --url.");
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new HebraError("INVALID_OPTIONS", `The admin's address ${url} is no http or https URL.`);
  const base = url.replace(/\/+$/, "");
  return {
    async call<T>(
      method: string,
      path: string,
      body?: object,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Answer<T>> {
      let response: Response;
      let text: string;
      try {
        response = await io.fetch(`${base}${path}`, {
          method,
          signal: AbortSignal.any([io.signal, AbortSignal.timeout(TIMEOUT_MS)]),
          headers: {
            ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        text = await response.text();
      } catch (error) {
        throw new HebraError("UNREACHABLE", `The admin at ${new URL(base).host} did not answer: ${whyOf(error)}.`, {
          cause: error,
        });
      }
      const type = response.headers.get("content-type") ?? "";
      const parsed = /json/.test(type) ? parse(text) : type.startsWith("text/markdown") ? text : undefined;
      if (response.ok && parsed !== undefined) return { body: parsed as T, etag: response.headers.get("etag") };
      const problem = (typeof parsed === "object" && parsed !== null ? parsed : {}) as {
        code?: string;
        title?: string;
        detail?: string;
        details?: { missing?: Refusal["missing"] };
      };
      if (response.ok || parsed === undefined) {
        throw new Refused({
          status: response.ok ? 502 : response.status,
          code: "UNREACHABLE",
          detail: `What answers at ${new URL(base).host} is no admin of @hebra/flags (status ${response.status}, no JSON).`,
          missing: [],
        });
      }
      throw new Refused({
        status: response.status,
        code: problem.code ?? problem.title ?? "ERROR",
        detail: problem.detail ?? `status ${response.status}`,
        missing: problem.details?.missing ?? [],
      });
    },
  };
}

/** `fetch failed` says nothing; what is behind it does. */
function whyOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } };
  if (name === "TimeoutError") return `not within ${TIMEOUT_MS / 1_000} s`;
  return cause?.code ?? cause?.message ?? errorMessage(error);
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
