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
    const headers = new Headers();
    for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2)
      headers.append(incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!);
    const withBody = incoming.method !== "GET" && incoming.method !== "HEAD";
    const request = new Request(new URL(incoming.url ?? "/", `http://${incoming.headers.host ?? "localhost"}`), {
      method: incoming.method ?? "GET",
      headers,
      signal: gone.signal,
      ...(withBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" } : {}),
    } as RequestInit);
    handler(request).then(
      (response) => {
        outgoing.writeHead(response.status, [...response.headers].flat());
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
