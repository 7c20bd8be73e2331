import { errorCode, errorMessage, HebraError, parseOptions, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { Channel, ChannelContext, ChannelMessage, ChannelReply, ChannelWaiting } from "../channel.ts";
import { json, problem } from "./answer.ts";
import { readMessage } from "./http/body.ts";
import { addressOf, anybody, callerSchema, type AskedAddress, type HttpCaller } from "./http/caller.ts";
import { createListeners } from "./http/listeners.ts";
import { isJson, strange } from "./http/gatekeeper.ts";
import { isLoopback } from "./http/loopback.ts";
import { createWaiters } from "./http/waiters.ts";
import { decoded } from "./percent.ts";
import { readBody } from "./read-body.ts";

export type { CallerField, HttpCaller } from "./http/caller.ts";

/** How {@link httpChannel} is made. */
export interface HttpChannelOptions {
  /**
   * Says who is behind a request: the conversation, tenant, thread and sender of its messages come from what this
   * returns. Nothing means 401. `"everybody"` asks nobody who they are, takes requests to a loopback host only, and is
   * for a developer's machine.
   */
  authorize: ((request: Request) => Promise<HttpCaller | undefined> | HttpCaller | undefined) | "everybody";
  /** @defaultValue "http" */
  name?: string;
  /** Bytes of a body at most. @defaultValue 262 144 */
  maxBodyBytes?: number;
  /** Milliseconds that `?wait=` may ask for at most. @defaultValue 60 000 */
  maxWaitMs?: number;
  /** Parts of a message at most. @defaultValue 100 */
  maxParts?: number;
  /** Event streams of one chat at most. @defaultValue 16 */
  maxStreamsPerChat?: number;
  /** Event streams at most, of all chats. @defaultValue 1 000 */
  maxStreams?: number;
  /**
   * Values of `Host`, with or without the port, that requests may name. @defaultValue any; with `"everybody"` those of
   * loopback
   */
  hosts?: readonly string[];
  /** Values of `Origin` that browsers may send beside the host's own, e.g. `https://app.example`. @defaultValue none */
  origins?: readonly string[];
}

/** A channel whose other side is a Web-standard handler. */
export interface HttpChannel extends Channel {
  /**
   * `POST /messages` with `{id, text, …}`: 202 once the message is on the bus; with `?wait=<ms>` 200 and the reply, if
   * it comes in time, or 202 and `waiting` with the approvals that it waits for. `GET /chats/<chat>/events`: the events
   * `reply`, `delta` and `waiting` as server-sent events, while connected. 400 for what is no message, 401 without
   * valid credentials, 403 for a field or chat that is not the caller's and for a strange `Host` or `Origin`, 415 for a
   * body that does not say it is JSON, 429 for too many messages or streams, 503 when the message could not be handed
   * over: send it again, with the same id. Only the end of the path counts, so that it can be mounted anywhere. It
   * never throws.
   */
  handler(request: Request): Promise<Response>;
  /**
   * Call it with the address that your server listens on, before it listens.
   *
   * @throws HebraError `INVALID_OPTIONS` when everybody is let in and others than this machine can reach the address
   */
  assertAddress(host: string): void;
}

const optionsSchema = z.strictObject({
  authorize: z.union(
    [
      z.literal("everybody"),
      z.custom<Exclude<HttpChannelOptions["authorize"], string>>((value) => typeof value === "function"),
    ],
    'is required: a function that says who is behind a request, or "everybody" for a server on loopback',
  ),
  name: z.string().min(1).default("http"),
  maxBodyBytes: z.number().int().min(1).default(262_144),
  maxWaitMs: z.number().int().min(0).default(60_000),
  maxParts: z.number().int().min(1).default(100),
  maxStreamsPerChat: z.number().int().min(1).default(16),
  maxStreams: z.number().int().min(1).default(1_000),
  hosts: z.array(z.string().min(1)).readonly().optional(),
  origins: z.array(z.url()).readonly().optional(),
});

/**
 * A channel for clients of your own.
 *
 * @throws HebraError `INVALID_OPTIONS`, also without `authorize`
 *
 * @example
 * ```ts
 * import { httpChannel } from "@hebra/thread/runtime";
 *
 * const users = new Map([["Bearer 8d1f", "ana"]]);
 * const web = httpChannel({
 *   authorize: (request) => {
 *     const user = users.get(request.headers.get("authorization") ?? "");
 *     return user === undefined ? undefined : { tenant: "acme", chat: user, sender: { id: user } };
 *   },
 * });
 * ```
 */
export function httpChannel(options: HttpChannelOptions): HttpChannel {
  const { name, authorize, maxBodyBytes, maxWaitMs, maxParts, hosts, origins, ...limits } = parseOptions(
    "httpChannel",
    optionsSchema,
    options,
  );
  const gatekeeper = { hosts, origins, loopbackOnly: authorize === "everybody" };
  const waiters = createWaiters();
  const listeners = createListeners({ perPlace: limits.maxStreamsPerChat, inAll: limits.maxStreams });
  let context: ChannelContext | undefined;
  let stopping = false;
  const placeOf = (tenant: string | undefined, chat: string) => JSON.stringify([tenant ?? "default", chat]);

  /** The caller, or the answer to a request that has none. */
  async function identify(request: Request): Promise<HttpCaller | Response> {
    if (authorize === "everybody") return anybody;
    try {
      const caller = await authorize(request);
      if (caller === undefined) return problem(401, "UNAUTHENTICATED", "The request has no valid credentials.");
      return parseOptions("What `authorize` returned", callerSchema, caller);
    } catch (error) {
      context?.logger.error("`authorize` failed; the request is refused.", {
        channel: name,
        error: errorMessage(error),
      });
      return problem(503, "UNREACHABLE", "The credentials could not be checked. Try again.", { "retry-after": "1" });
    }
  }

  async function post(request: Request, url: URL): Promise<Response> {
    if (context === undefined || stopping)
      return problem(503, "CLOSED", "The channel is not taking messages.", { "retry-after": "1" });
    if (!isJson(request))
      return problem(415, "INVALID_OPTIONS", "Send the message as `content-type: application/json`.");
    const caller = await identify(request);
    if (caller instanceof Response) return caller;
    const body = await readBody(request, maxBodyBytes);
    if (body === undefined)
      return problem(
        413,
        "ENVELOPE_TOO_LARGE",
        `The body is larger than ${maxBodyBytes} bytes. Pass large content by reference.`,
      );
    let message: ChannelMessage;
    try {
      const { content, asked } = readMessage(body, { maxParts });
      message = { ...content, ...addressOf(caller, asked, name) };
    } catch (error) {
      return refusal(error, 400);
    }
    const asked = Number(url.searchParams.get("wait") ?? 0);
    const waitMs = Number.isFinite(asked) ? Math.min(Math.max(0, asked), maxWaitMs) : 0;
    const key = `${placeOf(message.tenant, message.chat)} ${message.id}`;
    const { clock } = context;
    const reply = waitMs > 0 ? waiters.wait(key, { ms: waitMs, signal: request.signal, clock }) : undefined;
    try {
      const publication = await context.publish(message);
      // Nothing will answer it.
      if (publication.status === "shed") return json(202, { id: message.id, ...publication });
      const said = await reply?.promise;
      if (said === undefined) return json(202, { id: message.id, ...publication });
      if ("waiting" in said) return json(202, { id: message.id, ...publication, waiting: shownWaiting(said.waiting) });
      return json(200, { id: message.id, ...publication, reply: shown(said.reply) });
    } catch (error) {
      return refusal(error, 503);
    } finally {
      reply?.cancel();
    }
  }

  async function events(request: Request, url: URL, chat: string): Promise<Response> {
    const caller = await identify(request);
    if (caller instanceof Response) return caller;
    try {
      const address = addressOf(caller, { chat, ...tenantOf(url) }, name);
      const stream = listeners.open(placeOf(address.tenant, address.chat));
      if (stream === undefined)
        return problem(429, "BACKLOG_FULL", "There are too many event streams. Close one, or come back later.", {
          "retry-after": "5",
        });
      return new Response(stream, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
      });
    } catch (error) {
      return refusal(error, 400);
    }
  }

  return {
    name,
    assertAddress(host) {
      if (authorize !== "everybody" || isLoopback(host)) return;
      throw new HebraError(
        "INVALID_OPTIONS",
        `The HTTP channel ${name} lets everybody in, and ${host} can be reached from other machines. Listen on 127.0.0.1, or pass an \`authorize\` that says who is behind a request.`,
      );
    },
    async start(given) {
      context = given;
      stopping = false;
    },
    async stop() {
      stopping = true;
    },
    async send(reply) {
      const place = placeOf(reply.tenant, reply.chat);
      waiters.tell(`${place} ${reply.inReplyTo}`, { reply });
      listeners.tell(place, "reply", shown(reply));
    },
    async sendWaiting(waiting) {
      const place = placeOf(waiting.tenant, waiting.chat);
      waiters.tell(`${place} ${waiting.inReplyTo}`, { waiting });
      listeners.tell(place, "waiting", shownWaiting(waiting));
    },
    async sendDelta({ tenant, chat, inReplyTo, executionId, index, text }) {
      listeners.tell(placeOf(tenant, chat), "delta", { inReplyTo, executionId, index, text });
    },
    async handler(request) {
      try {
        return await serve(request);
      } catch (error) {
        // A body that its sender broke off, above all: nobody reads this answer.
        context?.logger.warn("A request could not be served.", { channel: name, error: errorMessage(error) });
        return problem(400, "ABORTED", "The request could not be read.");
      }
    },
  };

  async function serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const why = strange(request, url, gatekeeper);
    if (why !== undefined) return problem(403, "FORBIDDEN", why);
    if (url.pathname.endsWith("/messages")) {
      return request.method === "POST"
        ? post(request, url)
        : problem(405, "UNSUPPORTED", "POST a message here.", { allow: "POST" });
    }
    const encoded = /\/chats\/([^/]+)\/events$/.exec(url.pathname)?.[1];
    if (encoded === undefined)
      return problem(404, "INVALID_OPTIONS", "There is nothing here. POST /messages, or GET /chats/<chat>/events.");
    if (request.method !== "GET") return problem(405, "UNSUPPORTED", "GET the events here.", { allow: "GET" });
    const chat = decoded(encoded);
    if (chat === undefined) return problem(400, "INVALID_ID", "The chat in the path is not percent-encoded UTF-8.");
    return events(request, url, chat);
  }
}

/** A tenant that is asked for in the query is compared with the caller's, as one in a body is. */
function tenantOf(url: URL): AskedAddress {
  const tenant = url.searchParams.get("tenant");
  return tenant === null ? {} : { tenant };
}

function shown({ id, inReplyTo, text, executionId, index, piece, failure }: ChannelReply): JsonObject {
  return {
    id,
    inReplyTo,
    text,
    index,
    ...(executionId === undefined ? {} : { executionId }),
    ...(piece === undefined ? {} : { piece: { ...piece } }),
    ...(failure === undefined ? {} : { failure }),
  };
}

const shownWaiting = ({ inReplyTo, executionId, approvals }: ChannelWaiting) => ({ inReplyTo, executionId, approvals });

/** What is refused however often it is sent. */
const neverTaken = new Set<string>(["NOT_SERIALIZABLE", "INVALID_ID", "INVALID_OPTIONS", "DEFINITION_MISSING"]);

/** The message was not handed over: whether to try again is for the sender to know. */
function refusal(error: unknown, otherwise: 400 | 503): Response {
  const code = errorCode(error) ?? (otherwise === 400 ? "INVALID_OPTIONS" : "INTERNAL");
  if (code === "FORBIDDEN") return problem(403, code, errorMessage(error));
  if (code === "BACKLOG_FULL") return problem(429, code, errorMessage(error), { "retry-after": "5" });
  if (code === "ENVELOPE_TOO_LARGE") return problem(413, code, errorMessage(error));
  if (code === "TRIGGER_MISMATCH") return problem(409, code, errorMessage(error));
  if (otherwise === 400 || neverTaken.has(code)) return problem(400, code, errorMessage(error));
  return problem(503, code, "The message could not be handed over. Send it again, with the same id.", {
    "retry-after": "1",
  });
}
