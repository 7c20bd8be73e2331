import { createServer, type Server, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { errorCode, errorMessage, HebraError, redactText } from "@hebra/core";

/** Milliseconds that answers under way have when the server closes. */
const LAST_WORDS_MS = 1_000;

/** A server of Web-standard handlers. */
export interface Serving {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves a Web-standard handler over node's server. */
export async function serve(
  handler: (request: Request) => Promise<Response>,
  options: { port: number; host: string },
): Promise<Serving> {
  const server = createServer((incoming, outgoing) => {
    const abort = new AbortController();
    outgoing.once("close", () => abort.abort());
    const run = async () => {
      const { method = "GET", headers } = incoming;
      const address = addressOf(headers.host, incoming.url ?? "/");
      if (address === undefined) return refuse(outgoing, 400, "The host or the path of the request is not valid.");
      // The platform's Request refuses these.
      if (method === "TRACE" || method === "CONNECT" || method === "TRACK")
        return refuse(outgoing, 405, "This method is not supported.");
      const pairs = Object.entries(headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value] as [string, string]],
      );
      const hasBody = method !== "GET" && method !== "HEAD";
      const init: RequestInit & { duplex?: "half" } = { method, headers: pairs, signal: abort.signal };
      if (hasBody) Object.assign(init, { body: Readable.toWeb(incoming), duplex: "half" });
      const response = await handler(new Request(address, init));
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body === null) return void outgoing.end();
      outgoing.flushHeaders();
      Readable.fromWeb(response.body as never)
        .on("error", () => outgoing.destroy())
        .pipe(outgoing);
    };
    run().catch((error: unknown) => {
      if (outgoing.headersSent) return void outgoing.destroy();
      outgoing.writeHead(500, { "content-type": "application/json" });
      outgoing.end(JSON.stringify({ code: errorCode(error) ?? "INTERNAL", message: redactText(errorMessage(error)) }));
    });
  });
  await listen(server, options);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        // An answer that is being written gets through; a stream that would go on for ever is cut.
        const cut = setTimeout(() => server.closeAllConnections(), LAST_WORDS_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

/** The URL of a request, or nothing when host and path do not make one. */
function addressOf(host: string | undefined, target: string): string | undefined {
  if (host === undefined || !/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(host)) return undefined;
  const path = target.startsWith("/") ? target : (/^https?:\/\/[^/?#]+(\/.*)$/i.exec(target)?.[1] ?? "/");
  const address = `http://${host}${path}`;
  return URL.canParse(address) ? address : undefined;
}

function refuse(outgoing: ServerResponse, status: number, message: string): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(JSON.stringify({ code: status === 405 ? "UNSUPPORTED" : "INVALID_OPTIONS", message }));
}

function listen(server: Server, { port, host }: { port: number; host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE" || error.code === "EACCES" || error.code === "EADDRNOTAVAIL";
      reject(
        taken
          ? new HebraError(
              "INVALID_OPTIONS",
              `The port ${port} of ${host} cannot be listened on: ${error.code}. Choose another, or end what has it.`,
              { cause: error },
            )
          : error,
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}
