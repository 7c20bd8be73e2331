import { assertId, errorCode, errorMessage, HebraError, parseOptions } from "@hebra/core";
import { isLoopback } from "../runtime/channels/http/loopback.ts";
import { callerSchema, everybody, requireKey, requireRight, type ThreadCaller } from "./caller.ts";
import { jsonBody, queryOf } from "./input.ts";
import { openApiOf } from "./openapi.ts";
import { optionsSchema, type ThreadHandlerOptions } from "./options.ts";
import { json, problem } from "./problem.ts";
import { remoteAddressOf } from "./remote-address.ts";
import { route, type Host, type Route } from "./route.ts";
import { matchRoute } from "./router.ts";
import { decideApproval, listApprovals } from "./routes/approvals.ts";
import { getChat, getChatStream, postChat } from "./routes/chat.ts";
import { getEvents } from "./routes/events.ts";
import { postMessage } from "./routes/messages.ts";
import { cancelTurn, deleteThread, forkThread, getItems, getThread, listThreads } from "./routes/threads.ts";
import { noQuery } from "./schemas.ts";
import { createStreamSlots } from "./stream-slots.ts";

const threadRoutes: readonly Route[] = [
  postMessage,
  listThreads,
  getThread,
  getItems,
  getEvents,
  cancelTurn,
  forkThread,
  deleteThread,
  listApprovals,
  decideApproval,
  postChat,
  getChat,
  getChatStream,
];

/**
 * Serves conversations over HTTP: a Web-standard handler, which fits Hono, Next, Bun and Deno and, through
 * `nodeListener`, Node's own server. It never rejects. Refusals are `application/problem+json` with a code.
 *
 * @throws HebraError `INVALID_OPTIONS`, also without `authorize`
 *
 * @example
 * ```ts
 * import { createEngine, defineThread } from "@hebra/thread";
 * import { createThreadHandler } from "@hebra/thread/http";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const store = memoryStore();
 * const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Hello." }] }) });
 * const handler = createThreadHandler({
 *   engine: createEngine({ store, threads: [desk] }),
 *   store,
 *   threads: ["desk"],
 *   authorize: (request) =>
 *     request.headers.get("authorization") === "Bearer 8d1f"
 *       ? { tenant: "acme", user: "ana", can: ["read", "write"], keys: ["ana:*"] }
 *       : undefined,
 * });
 * const response = await handler(
 *   new Request("http://localhost/threads/ana%3A1/messages?wait=5000", {
 *     method: "POST",
 *     headers: { authorization: "Bearer 8d1f", "content-type": "application/json" },
 *     body: JSON.stringify({ id: "message-1", text: "Hi" }),
 *   }),
 * );
 * console.log(response.status); // 200
 * ```
 */
export function createThreadHandler(options: ThreadHandlerOptions): (request: Request) => Promise<Response> {
  const parsed = parseOptions("createThreadHandler", optionsSchema, options);
  const { limits, logger, basePath } = parsed;
  const host: Host = {
    ...parsed,
    slots: createStreamSlots({ perPlace: limits.streamsPerCaller, inAll: limits.streams }),
  };
  const routes: Route[] = [...threadRoutes, describing(() => routes)];

  return async (request) => {
    try {
      const url = new URL(request.url);
      assertLocal(host, request, url);
      const match = matchRoute(routes, request.method, url.pathname, basePath);
      if (match instanceof Response) return match;
      return await serve(host, request, url, match);
    } catch (error) {
      if (!HebraError.isInstance(error)) logger.error("A request failed.", { error: errorMessage(error) });
      const answer = problem(error);
      if (answer.status >= 500 && HebraError.isInstance(error))
        logger.error("A request failed.", { code: errorCode(error) ?? null, error: errorMessage(error) });
      return answer;
    }
  };
}

const describing = (routes: () => readonly Route[]): Route =>
  route({
    method: "GET",
    path: "/openapi.json",
    operationId: "getOpenApi",
    summary: "This document.",
    right: undefined,
    query: noQuery,
    answers: { 200: { description: "OpenAPI 3.1." } },
    serve: async ({ host }) => json(200, openApiOf(routes(), host.basePath)),
  });

async function serve(
  host: Host,
  request: Request,
  url: URL,
  { route: wanted, params }: { route: Route; params: Record<string, string> },
): Promise<Response> {
  const caller = await identify(host, request);
  if (wanted.right !== undefined) requireRight(caller, wanted.right);
  const { key } = params;
  if (key !== undefined) {
    assertId(key, "key in the path");
    requireKey(caller, key);
  }
  const body =
    wanted.body === undefined ? undefined : await jsonBody(request, host.limits[wanted.limit ?? "bodyBytes"]);
  if (body instanceof Response) return body;
  return wanted.serve({ host, request, caller, params, query: queryOf(url), body });
}

/** @throws HebraError `FORBIDDEN` for who is not on this machine, where nobody is asked who they are */
function assertLocal({ authorize }: Host, request: Request, url: URL): void {
  if (authorize !== "everybody") return;
  const address = remoteAddressOf(request);
  if (isLoopback(url.hostname) && (address === undefined || isLoopback(address))) return;
  throw new HebraError("FORBIDDEN", "Without `authorize` this server answers on a loopback host only.");
}

/** @throws HebraError `UNAUTHENTICATED`, `UNREACHABLE` */
async function identify({ authorize, logger }: Host, request: Request): Promise<ThreadCaller> {
  if (authorize === "everybody") return everybody;
  let caller: ThreadCaller | undefined;
  try {
    const found = await authorize(request);
    caller = found && parseOptions("What `authorize` returned", callerSchema, found);
  } catch (error) {
    logger.error("`authorize` failed; the request is refused.", { error: errorMessage(error) });
    throw new HebraError("UNREACHABLE", "The credentials could not be checked.");
  }
  if (caller === undefined) throw new HebraError("UNAUTHENTICATED", "The request has no valid credentials.");
  return caller;
}
