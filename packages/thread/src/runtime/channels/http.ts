import { errorCode, errorMessage, HebraError, parseOptions, type JsonObject } from "@hebra/core";
import { z } from "zod";
import type { Channel, ChannelContext, ChannelDelta, ChannelMessage, ChannelReply } from "../channel.ts";
import { json, problem } from "./answer.ts";
import { readBody } from "./read-body.ts";

/** How {@link httpChannel} is made. */
export interface HttpChannelOptions {
  /** @defaultValue "http" */
  name?: string;
  /**
   * Who may speak, and for whom. What it returns takes the place of the body's `tenant` and `session`. A missing answer
   * is 401. @defaultValue everybody, in the body's words
   */
  authorize?: (request: Request) => Promise<HttpCaller | undefined> | HttpCaller | undefined;
  /** Bytes of a body at most. @defaultValue 262 144 */
  maxBodyBytes?: number;
  /** Milliseconds that `?wait=` may ask for at most. @defaultValue 60 000 */
  maxWaitMs?: number;
}

/** On whose behalf a request comes. */
export interface HttpCaller {
  tenant?: string;
  chat?: string;
}

/** A channel whose other side is a Web-standard handler. */
export interface HttpChannel extends Channel {
  /**
   * `POST /messages` with `{id, chat, text, …}`: 202 once the message is on the bus; with `?wait=<ms>` 200 and the
   * reply, if it
   * comes in time. `GET /chats/<chat>/events`: replies and deltas as server-sent events, while connected. 503 when the
   * message could not be handed over: send it again, with the same id. It looks at the end of the path only, so that it
   * can be mounted anywhere.
   */
  handler(request: Request): Promise<Response>;
}

const optionsSchema = z.strictObject({
  name: z.string().min(1).default("http"),
  authorize: z
    .custom<NonNullable<HttpChannelOptions["authorize"]>>((value) => typeof value === "function", "must be a function")
    .optional(),
  maxBodyBytes: z.number().int().min(1).default(262_144),
  maxWaitMs: z.number().int().min(0).default(60_000),
});
const bodySchema = z.strictObject({
  id: z.string().min(1).max(400),
  chat: z.string().min(1).max(400),
  text: z.string().optional(),
  parts: z.array(z.looseObject({ kind: z.string() })).optional(),
  sender: z.strictObject({ id: z.string(), name: z.string().optional() }).optional(),
  metadata: z.record(z.string(), z.json()).optional(),
  tenant: z.string().optional(),
  session: z.string().optional(),
  thread: z.string().optional(),
  interrupt: z.boolean().optional(),
});
const MAX_STREAM_BUFFER = 256;

/** @throws HebraError `INVALID_OPTIONS` */
export function httpChannel(options: HttpChannelOptions = {}): HttpChannel {
  const { name, authorize, maxBodyBytes, maxWaitMs } = parseOptions("httpChannel", optionsSchema, options);
  const waiters = new Map<string, Set<(reply: ChannelReply) => void>>();
  const listeners = new Map<string, Set<(event: string, data: object) => void>>();
  let context: ChannelContext | undefined;
  let stopping = false;
  const placeOf = (tenant: string | undefined, chat: string) => JSON.stringify([tenant ?? "default", chat]);

  async function post(request: Request, url: URL): Promise<Response> {
    if (context === undefined || stopping)
      return problem(503, "CLOSED", "The channel is not taking messages.", { "retry-after": "1" });
    const caller = authorize === undefined ? {} : await authorize(request);
    if (caller === undefined) return problem(401, "UNAUTHENTICATED", "The request has no valid credentials.");
    const body = await readBody(request, maxBodyBytes);
    if (body === undefined)
      return problem(
        413,
        "ENVELOPE_TOO_LARGE",
        `The body is larger than ${maxBodyBytes} bytes. Pass large content by reference.`,
      );
    let message: ChannelMessage;
    try {
      message = {
        ...(parseOptions("POST /messages", bodySchema, JSON.parse(new TextDecoder().decode(body))) as ChannelMessage),
        ...caller,
      };
    } catch (error) {
      return problem(400, "INVALID_OPTIONS", errorMessage(error));
    }
    const asked = Number(url.searchParams.get("wait") ?? 0);
    const waitMs = Number.isFinite(asked) ? Math.min(Math.max(0, asked), maxWaitMs) : 0;
    const key = `${placeOf(message.tenant, message.chat)} ${message.id}`;
    const reply = waitMs > 0 ? waitForReply(key, waitMs, request.signal) : undefined;
    try {
      const publication = await context.publish(message);
      const said = await reply?.promise;
      if (said === undefined) return json(202, { id: message.id, ...publication });
      return json(200, { id: message.id, ...publication, reply: shown(said) });
    } catch (error) {
      return refusal(error);
    } finally {
      reply?.cancel();
    }
  }

  function waitForReply(
    key: string,
    ms: number,
    signal: AbortSignal,
  ): { promise: Promise<ChannelReply | undefined>; cancel: () => void } {
    let cancel = () => {};
    const promise = new Promise<ChannelReply | undefined>((resolve) => {
      const set = waiters.get(key) ?? new Set();
      const end = (reply?: ChannelReply) => {
        cancelTimer();
        signal.removeEventListener("abort", aborted);
        set.delete(end);
        if (set.size === 0 && waiters.get(key) === set) waiters.delete(key);
        resolve(reply);
      };
      const aborted = () => end();
      const cancelTimer = context!.clock.after(ms, () => end(), { keepAlive: true });
      signal.addEventListener("abort", aborted, { once: true });
      waiters.set(key, set.add(end));
      cancel = () => end();
    });
    return { promise, cancel };
  }

  async function events(request: Request, chat: string): Promise<Response> {
    const caller = authorize === undefined ? {} : await authorize(request);
    if (caller === undefined) return problem(401, "UNAUTHENTICATED", "The request has no valid credentials.");
    if (caller.chat !== undefined && caller.chat !== chat)
      return problem(403, "FORBIDDEN", "These credentials are for another chat.");
    const tenant = caller.tenant ?? new URL(request.url).searchParams.get("tenant") ?? undefined;
    const key = placeOf(tenant, chat);
    const encoder = new TextEncoder();
    let leave = () => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          const set = listeners.get(key) ?? new Set();
          const listener = (event: string, data: object) => {
            // A reader that does not read is let go: what it missed is in the thread's history.
            if ((controller.desiredSize ?? 0) <= 0) {
              leave();
              return controller.error(new HebraError("TIMEOUT", "The reader was too slow."));
            }
            controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
          };
          leave = () => {
            set.delete(listener);
            if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
          };
          listeners.set(key, set.add(listener));
          controller.enqueue(encoder.encode(": connected\n\n"));
        },
        cancel: () => leave(),
      },
      { highWaterMark: MAX_STREAM_BUFFER },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
  }

  return {
    name,
    async start(given) {
      context = given;
      stopping = false;
    },
    async stop() {
      stopping = true;
    },
    async send(reply) {
      const key = placeOf(reply.tenant, reply.chat);
      for (const resolve of [...(waiters.get(`${key} ${reply.inReplyTo}`) ?? [])]) resolve(reply);
      for (const listener of [...(listeners.get(key) ?? [])]) listener("reply", shown(reply));
    },
    async sendDelta(delta: ChannelDelta) {
      const { inReplyTo, executionId, index, text } = delta;
      for (const listener of [...(listeners.get(placeOf(delta.tenant, delta.chat)) ?? [])])
        listener("delta", { inReplyTo, executionId, index, text });
    },
    async handler(request) {
      const url = new URL(request.url);
      if (url.pathname.endsWith("/messages")) {
        return request.method === "POST"
          ? post(request, url)
          : problem(405, "UNSUPPORTED", "POST a message here.", { allow: "POST" });
      }
      const chat = /\/chats\/([^/]+)\/events$/.exec(url.pathname)?.[1];
      if (chat !== undefined && request.method === "GET") return events(request, decodeURIComponent(chat));
      return problem(404, "INVALID_OPTIONS", "There is nothing here. POST /messages, or GET /chats/<chat>/events.");
    },
  };
}

function shown({ id, inReplyTo, text, executionId, index, failure }: ChannelReply): JsonObject {
  return {
    id,
    inReplyTo,
    text,
    index,
    ...(executionId === undefined ? {} : { executionId }),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** The message was not handed over: whether to try again is for the sender to know. */
function refusal(error: unknown): Response {
  const code = errorCode(error) ?? "INTERNAL";
  if (code === "BACKLOG_FULL") return problem(429, code, errorMessage(error), { "retry-after": "5" });
  if (code === "ENVELOPE_TOO_LARGE") return problem(413, code, errorMessage(error));
  if (code === "TRIGGER_MISMATCH") return problem(409, code, errorMessage(error));
  if (code === "NOT_SERIALIZABLE" || code === "INVALID_ID" || code === "INVALID_OPTIONS")
    return problem(400, code, errorMessage(error));
  return problem(503, code, "The message could not be handed over. Send it again, with the same id.", {
    "retry-after": "1",
  });
}
