import { errorMessage, HebraError } from "@hebra/core";
import type { CliIo } from "./io.ts";

/** An answer that was not a success. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly missing: readonly { readonly item: string; readonly detail: string }[];
}

/** Calls the admin. */
export interface AdminClient {
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<{ readonly body: unknown; readonly etag: string | null } | { readonly refusal: Refusal }>;
}

/** @throws HebraError `INVALID_OPTIONS` without an address, `UNREACHABLE` */
export function adminClient(io: CliIo, url: string | undefined, token: string | undefined): AdminClient {
  if (url === undefined) throw new HebraError("INVALID_OPTIONS", "Where is the admin? Give --url or set HEBRA_FLAGS_URL.");
  const base = url.replace(/\/+$/, "");
  return {
    async call(method, path, body, headers = {}) {
      let response: Response;
      try {
        response = await io.fetch(`${base}${path}`, {
          method, signal: io.signal,
          headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
      } catch (error) {
        throw new HebraError("UNREACHABLE", `The admin did not answer: ${errorMessage(error)}`, { cause: error });
      }
      const text = await response.text();
      const parsed: unknown = /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
      if (response.ok) return { body: parsed, etag: response.headers.get("etag") };
      const problem = (typeof parsed === "object" && parsed !== null ? parsed : {}) as { code?: string; title?: string; detail?: string; details?: { missing?: Refusal["missing"] } };
      return { refusal: { status: response.status, code: problem.code ?? problem.title ?? "ERROR", detail: problem.detail ?? "", missing: problem.details?.missing ?? [] } };
    },
  };
}
