import { platform, type FetchLike } from "./platform.ts";

/** Why the server did not do what it was asked. */
export class ThreadRequestError extends Error {
  /** A code of Hebra's list, or `UNREACHABLE` when there was no answer. */
  readonly code: string;
  /** Nothing when there was no answer. */
  readonly status: number | undefined;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  constructor(code: string, message: string, status: number | undefined, retryable: boolean) {
    super(message);
    this.name = "ThreadRequestError";
    this.code = code;
    this.status = status;
    this.retryable = retryable;
  }
}

export interface Http {
  json<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** The events of a stream; nothing when there is no turn to follow. */
  events(
    path: string,
    after: string | undefined,
    signal: { signal: unknown },
  ): Promise<AsyncGenerator<Sent> | undefined>;
}

/** One server-sent event. */
export interface Sent {
  id: string | undefined;
  event: string;
  data: string;
}

export function createHttp(
  url: string,
  headers: () => Record<string, string> | Promise<Record<string, string>>,
  fetch: FetchLike = (...request) => platform.fetch(...request),
): Http {
  async function send(method: string, path: string, more: Record<string, string>, body?: unknown, signal?: unknown) {
    let response;
    try {
      response = await fetch(url + path, {
        method,
        headers: {
          ...(await headers()),
          ...more,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw new ThreadRequestError("UNREACHABLE", String(error), undefined, true);
    }
    if (response.ok) return response;
    const { status } = response;
    const problem = (await response.json().catch(() => ({}))) as {
      code?: string;
      detail?: string;
      retryable?: boolean;
    };
    const { code = "INTERNAL", detail = `HTTP ${status}`, retryable = status === 429 || status >= 500 } = problem;
    throw new ThreadRequestError(code, detail, status, retryable);
  }
  return {
    json: async <T>(method: string, path: string, body?: unknown) =>
      (await (await send(method, path, {}, body)).json()) as T,
    async events(path, after, { signal }) {
      const place = after === undefined ? {} : { "last-event-id": after };
      const response = await send("GET", path, { accept: "text/event-stream", ...place }, undefined, signal);
      return response.status === 204 || response.body == null ? undefined : read(response.body);
    },
  };
}

async function* read(body: NonNullable<Awaited<ReturnType<FetchLike>>["body"]>): AsyncGenerator<Sent> {
  const reader = body.getReader();
  const decoder = new platform.TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1];
        const data = field("data");
        if (data !== undefined) yield { id: field("id"), event: field("event") ?? "message", data };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
