import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { errorCode, errorMessage, parseOptions, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { Channel, ChannelContext, Locate } from "../channel.ts";
import { createFullNotices, FULL_TEXT } from "./full-notices.ts";
import { createPieceSender, pieces } from "./pieces.ts";
import { problem } from "./answer.ts";
import { readBody } from "./read-body.ts";
import { callGraph } from "./whatsapp/graph.ts";
import { readWebhook } from "./whatsapp/payload.ts";

/** How {@link whatsappChannel} is made. None of the three secrets is part of an error or a log. */
export interface WhatsappChannelOptions {
  /** The number that people write to, by its id in the API. */
  phoneNumberId: string;
  /** Sends. */
  accessToken: string;
  /** Signs what the webhook is given. */
  appSecret: string;
  /** What the webhook was set up with; only the owner of the app knows it. */
  verifyToken: string;
  /** @defaultValue "whatsapp" */
  name?: string;
  /** Where the Graph API is. @defaultValue "https://graph.facebook.com" */
  baseUrl?: string;
  /** @defaultValue "v23.0" */
  version?: string;
  /** Bytes of a post at most; the API sends up to three million. @defaultValue 3 145 728 */
  maxBodyBytes?: number;
  /** Milliseconds until an answer that does not come is given up. @defaultValue 15 000 */
  timeoutMs?: number;
  /**
   * What a person is told, at most every half minute, whose message found its conversation full. The message is
   * dropped, and the others go on. Empty says nothing. @defaultValue "Too many of your messages are waiting. Please
   * send this one again later."
   */
  fullText?: string;
  /** Where messages belong. @defaultValue the conversation `<name>:<number of the sender>` of the tenant `default` */
  locate?: Locate;
}

/** A channel whose other side is the WhatsApp Cloud API: it posts to `handler`, and is sent to over the Graph API. */
export interface WhatsappChannel extends Channel {
  /**
   * The webhook, at whatever path it is mounted. `GET` answers the challenge with which a webhook is set up. `POST`
   * takes
   * messages and statuses: 200 once all of it is on the bus; 401 without a valid signature; 503 when it could not be
   * handed over, and the API posts it again, with the same ids.
   */
  handler(request: Request): Promise<Response>;
}

const secret = z.string().min(1);
const schema = z.strictObject({
  phoneNumberId: z.string().regex(/^\d+$/, "must be the number's id, all digits"),
  accessToken: secret,
  appSecret: secret,
  verifyToken: secret,
  name: z.string().min(1).default("whatsapp"),
  baseUrl: z.url().default("https://graph.facebook.com"),
  version: z
    .string()
    .regex(/^v\d+\.\d+$/, "must be like v23.0")
    .default("v23.0"),
  maxBodyBytes: z.number().int().min(1).default(3_145_728),
  timeoutMs: z.number().int().min(1).default(15_000),
  fullText: z.string().default(FULL_TEXT),
  locate: z.custom<Locate>((value) => typeof value === "function", "must be a function").optional(),
});

/** Characters of a text at most, by the API. */
const MAX_TEXT = 4_096;
/** Characters that come back in a status, at most. */
const MAX_CALLBACK_DATA = 512;
/** What the bus refuses however often it is given. */
const hopeless = new Set<string>([
  "DEFINITION_MISSING",
  "INVALID_OPTIONS",
  "INVALID_ID",
  "ENVELOPE_TOO_LARGE",
  "NOT_SERIALIZABLE",
  "TRIGGER_MISMATCH",
]);

/**
 * A WhatsApp number over the Cloud API. A post counts as received only once all its messages were published, so that
 * what a
 * crash cuts off is posted again, under the same ids. Media come as references in `metadata.media`, choices of buttons
 * and
 * lists as their titles, with the whole answer in `metadata`. A reply's id travels with what is sent and comes back in
 * its statuses.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { whatsappChannel } from "@hebra/thread/runtime";
 *
 * const whatsapp = whatsappChannel({ phoneNumberId: "106540352242922", accessToken: "…", appSecret: "…", verifyToken:
 * "…" });
 * const answer = await whatsapp.handler(new
 * Request("https://host/webhook?hub.mode=subscribe&hub.challenge=42&hub.verify_token=wrong"));
 * console.log(answer.status); // 403
 * ```
 */
export function whatsappChannel(options: WhatsappChannelOptions): WhatsappChannel {
  const {
    phoneNumberId,
    accessToken,
    appSecret,
    verifyToken,
    name,
    baseUrl,
    version,
    maxBodyBytes,
    timeoutMs,
    fullText,
    locate,
  } = parseOptions("whatsappChannel", schema, options);
  const url = `${baseUrl.replace(/\/$/, "")}/${version}/${phoneNumberId}/messages`;
  const sendPieces = createPieceSender();
  const notices = createFullNotices(
    () => context,
    name,
    (chat) => (fullText === "" ? Promise.resolve() : sendText(chat, fullText, {})),
  );
  let context: ChannelContext | undefined;
  let stopping = false;

  async function sendText(chat: string, body: string, marks: JsonObject): Promise<void> {
    await callGraph({
      url,
      token: accessToken,
      now: context?.clock.now() ?? Date.now(),
      timeoutMs,
      body: {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: chat,
        type: "text",
        text: { preview_url: false, body },
        ...marks,
      },
    });
  }

  function verify(url: URL): Response {
    const { searchParams } = url;
    const known =
      searchParams.get("hub.mode") === "subscribe" && same(searchParams.get("hub.verify_token") ?? "", verifyToken);
    return known
      ? new Response(searchParams.get("hub.challenge") ?? "")
      : problem(403, "FORBIDDEN", "The verify token is another one.");
  }

  async function take(request: Request): Promise<Response> {
    if (context === undefined || stopping) return away("The channel is not taking messages.");
    const raw = await readBody(request, maxBodyBytes);
    if (raw === undefined) return problem(413, "ENVELOPE_TOO_LARGE", `The body is larger than ${maxBodyBytes} bytes.`);
    const signature = /^sha256=([0-9a-f]{64})$/.exec(request.headers.get("x-hub-signature-256") ?? "")?.[1];
    // Over the bytes as they came: read and written again they would be others.
    if (signature === undefined || !same(signature, createHmac("sha256", appSecret).update(raw).digest("hex")))
      return problem(401, "UNAUTHENTICATED", "The signature does not belong to this body.");
    const { publish, report, logger } = context;
    const told = readWebhook(parsed(raw), phoneNumberId);
    if (told === undefined) return problem(400, "INVALID_OPTIONS", "This is no post of the WhatsApp Cloud API.");
    for (const what of told.skipped) logger.info("A part of a post is passed over.", { channel: name, what });
    for (const message of told.messages) {
      try {
        await publish({ ...message, ...locate?.(message) });
      } catch (error) {
        if (errorCode(error) === "BACKLOG_FULL") {
          // The others of the post, and of the number, go on.
          notices.full(message.chat);
          logger.warn("A conversation is full, and a message is dropped.", { channel: name, messageId: message.id });
        }
        // It would be posted again for days, and never be taken.
        else if (hopeless.has(errorCode(error) ?? ""))
          logger.error("A message cannot be taken and is passed over.", {
            channel: name,
            messageId: message.id,
            error: errorMessage(error),
          });
        else return away("The messages could not be handed over. Post them again.");
      }
    }
    for (const status of told.statuses) report(status);
    return new Response(null, { status: 200 });
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
    async send({ id, chat, text }) {
      const marks = id.length > MAX_CALLBACK_DATA ? {} : { biz_opaque_callback_data: id };
      await sendPieces(id, pieces(text, MAX_TEXT), (body) => sendText(chat, body, marks));
    },
    async handler(request) {
      if (request.method === "GET") return verify(new URL(request.url));
      if (request.method !== "POST") return problem(405, "UNSUPPORTED", "GET or POST.", { allow: "GET, POST" });
      try {
        return await take(request);
      } catch (error) {
        // A body that its sender broke off, above all.
        context?.logger.warn("A post could not be read.", { channel: name, error: errorMessage(error) });
        return problem(400, "ABORTED", "The post could not be read.");
      }
    },
  };
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function parsed(raw: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(raw));
  } catch {
    return undefined;
  }
}

const away = (message: string) => problem(503, "CLOSED", message, { "retry-after": "1" });
