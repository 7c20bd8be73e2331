import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

/**
 * A Web-standard handler as a listener of `node:http`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { nodeListener } from "@hebra/flags/admin";
 *
 * export const server = createServer(nodeListener(async () => new Response("hello")));
 * ```
 */
export function nodeListener(
  handler: (request: Request) => Promise<Response>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.on("close", () => gone.abort());
    const request = requestOf(incoming, gone.signal);
    if (request === undefined) {
      outgoing.writeHead(400, { "content-type": "application/problem+json", connection: "close" });
      outgoing.end(
        JSON.stringify({ type: "about:blank", status: 400, title: "BAD_REQUEST", detail: "This is no valid request." }),
      );
      return;
    }
    handler(request).then(
      (response) => {
        // What is left of a refused body is not read: the connection ends with the answer.
        if (response.status === 413) outgoing.setHeader("connection", "close");
        outgoing.writeHead(response.status, [...response.headers].flat());
        if (response.status === 413) outgoing.on("finish", () => incoming.destroy());
        if (response.body === null) return void outgoing.end();
        const body = Readable.fromWeb(response.body as NodeReadableStream);
        body.on("error", () => outgoing.destroy());
        outgoing.on("close", () => body.destroy());
        body.pipe(outgoing);
      },
      () => {
        if (!outgoing.headersSent) outgoing.writeHead(500);
        outgoing.end();
      },
    );
  };
}

/**
 * The request of the Web standard; `undefined` for what is none: a host or a target that is no URL, or a method
 * like TRACE.
 */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  try {
    const { method = "GET", url = "/" } = incoming;
    const headers = new Headers();
    for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2)
      headers.append(incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!);
    const origin = new URL(`http://${incoming.headers.host ?? "localhost"}`);
    // A path that begins with two slashes is a path, not a host.
    const target = new URL(url.startsWith("/") ? `${origin.origin}${url}` : url);
    const withBody = method !== "GET" && method !== "HEAD";
    return new Request(target, {
      method,
      headers,
      signal,
      ...(withBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" } : {}),
    } as RequestInit);
  } catch {
    return undefined;
  }
}
