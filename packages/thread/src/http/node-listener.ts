import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { HebraError } from "@hebra/core";
import { problem } from "./problem.ts";
import { setRemoteAddress } from "./remote-address.ts";

/**
 * A Web-standard handler as a listener of `node:http`. Aborts the request's signal when the client leaves.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { nodeListener } from "@hebra/thread/http";
 *
 * export const server = createServer(nodeListener(async () => new Response("hello")));
 * ```
 */
export function nodeListener(
  handler: (request: Request) => Promise<Response>,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    void answer(handler, incoming, outgoing).catch(() => outgoing.destroy());
  };
}

async function answer(
  handler: (request: Request) => Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const request = requestOf(incoming, gone.signal);
  const response =
    request === undefined
      ? problem(new HebraError("INVALID_OPTIONS", "The request line or the `Host` header is malformed."))
      : await handler(request).catch((error: unknown) => problem(error));
  // What is left of a refused body is not read: the connection cannot be used again.
  if (!incoming.complete) outgoing.setHeader("connection", "close");
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  outgoing.writeHead(response.status);
  if (response.body === null) return void outgoing.end();
  outgoing.flushHeaders();
  pipeline(Readable.fromWeb(response.body as NodeReadableStream), outgoing, () => {});
}

/** Nothing for what is no request of the Fetch standard. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  try {
    const headers = new Headers();
    for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2)
      headers.append(incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!);
    const { method = "GET", url: target = "/" } = incoming;
    // Another form than a path would put another host in the place of this one.
    const url = new URL(`http://${incoming.headers.host ?? "localhost"}${target.startsWith("/") ? target : "/"}`);
    const request = new Request(url, {
      method,
      headers,
      signal,
      ...(method === "GET" || method === "HEAD" ? {} : { body: bodyOf(incoming), duplex: "half" }),
    } as RequestInit);
    const address = incoming.socket.remoteAddress;
    if (address !== undefined) setRemoteAddress(request, address);
    return request;
  } catch {
    return undefined;
  }
}

/** A body that can be left unread without closing the connection, over which the refusal must still go out. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await chunks.return?.()),
    },
    { highWaterMark: 0 },
  );
}
