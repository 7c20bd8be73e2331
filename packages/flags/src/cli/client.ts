import { CommandError, exitCodeOf, exitCodes, oneLine, type ExitCode, type Io } from "@hebra/cli-kit";
import { errorCode, errorCodes, errorMessage, HebraError, type JsonValue } from "@hebra/core";

interface Missing {
  readonly item: string;
  readonly detail: string;
}

/** A refusal of the admin: its code, status and what is missing. */
function refusal(status: number, code: string, detail: string, missing: readonly Missing[] = []): CommandError {
  // What is missing is listed below, one a line; the sentence need not repeat it.
  const short = missing.length === 0 ? detail : detail.split(": ", 1)[0]!;
  return new CommandError(code, short, exitOf(status, code, missing), {
    details: {
      status,
      ...(missing.length === 0 ? {} : { missing: missing.map(({ item, detail }) => ({ item, detail })) }),
    },
    lines: missing.map(({ detail }) => `  ✗ ${oneLine(detail)}`),
  });
}

/** A code that this build knows decides; otherwise the status does. */
function exitOf(status: number, code: string, missing: readonly Missing[]): ExitCode {
  if (missing.length > 0 && missing.every(({ item }) => item.startsWith("approval"))) return exitCodes.approval;
  if (status >= 500 || status === 429) return exitCodes.away;
  if (Object.hasOwn(errorCodes, code)) return exitCodeOf(code);
  if (status === 403) return exitCodes.approval;
  return status === 409 || status === 412 ? exitCodes.drift : exitCodes.usage;
}

/** Whether asking again may help. */
export const isAway = (error: unknown): boolean =>
  error instanceof CommandError ? error.exitCode === exitCodes.away : errorCode(error) === "UNREACHABLE";

/** What the admin said. */
export interface Answer<T> {
  readonly body: T;
  readonly etag: string | null;
}

/** Calls the admin. */
export interface AdminClient {
  /** @throws HebraError `UNREACHABLE`; CommandError for a refusal */
  call<T>(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer<T>>;
}

/** How long the admin may take, ms. */
const TIMEOUT_MS = 15_000;

/** @throws HebraError `INVALID_OPTIONS` without an address, or with one that is none */
export function adminClient(io: Io, url: string | undefined, token: string | undefined): AdminClient {
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
        if (io.signal.aborted)
          throw new HebraError("ABORTED", "Stopped before the admin answered. Whether it acted is unknown.", {
            cause: error,
          });
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
        details?: { missing?: readonly Missing[] };
      };
      if (response.ok || parsed === undefined) {
        throw refusal(
          response.ok ? 502 : response.status,
          "UNREACHABLE",
          `What answers at ${new URL(base).host} is no admin of @hebra/flags (status ${response.status}, no JSON).`,
        );
      }
      throw refusal(
        response.status,
        oneLine(problem.code ?? problem.title ?? "ERROR"),
        oneLine(problem.detail ?? `status ${response.status}`),
        problem.details?.missing,
      );
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
