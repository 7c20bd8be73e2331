import { errorCode, errorMessage, HebraError, parseOptions, sleep, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { Channel, ChannelContext, ChannelMessage, Locate } from "../channel.ts";
import { createFullNotices, FULL_TEXT } from "./full-notices.ts";
import { noAnswer } from "./no-answer.ts";
import { createPieceSender, pieces } from "./pieces.ts";

/** How {@link telegramChannel} is made. */
export interface TelegramChannelOptions {
  /** The bot's token. It is part of every address and of no message or error. */
  token: string;
  /** @defaultValue "telegram" */
  name?: string;
  /** Where the Bot API is. @defaultValue "https://api.telegram.org" */
  baseUrl?: string;
  /** Seconds that one poll waits for updates. @defaultValue 25 */
  pollSeconds?: number;
  /** Shows growing replies by editing a message. @defaultValue true */
  edits?: boolean;
  /**
   * What a chat is told, at most every half minute, whose message found its conversation full. The message is dropped,
   * and the others go on. Empty says nothing. @defaultValue "Too many of your messages are waiting. Please send this
   * one again later."
   */
  fullText?: string;
  /** Where messages belong. @defaultValue the conversation `<name>:<chat>` of the tenant `default` */
  locate?: Locate;
}

const schema = z.strictObject({
  token: z.string().min(1),
  name: z.string().min(1).default("telegram"),
  baseUrl: z.url().default("https://api.telegram.org"),
  pollSeconds: z.number().int().min(0).max(50).default(25),
  edits: z.boolean().default(true),
  fullText: z.string().default(FULL_TEXT),
  locate: z.custom<Locate>((value) => typeof value === "function", "must be a function").optional(),
});

/** What the Bot API answers (core.telegram.org/bots/api, "Making requests"). */
const answer = z.looseObject({
  ok: z.boolean(),
  result: z.unknown().optional(),
  description: z.string().optional(),
  error_code: z.number().optional(),
  parameters: z.looseObject({ retry_after: z.number().optional() }).optional(),
});
const update = z.looseObject({
  update_id: z.number(),
  message: z.unknown().optional(),
  edited_message: z.unknown().optional(),
});
const spoken = z.looseObject({
  message_id: z.number(),
  edit_date: z.number().optional(),
  chat: z.looseObject({ id: z.number() }),
  from: z.looseObject({ id: z.number(), first_name: z.string().optional() }).optional(),
  text: z.string().optional(),
  caption: z.string().optional(),
});
const sentMessage = z.looseObject({ message_id: z.number() });

/** Characters of a message at most, by the Bot API. */
const MAX_TEXT = 4_096;
const RETRY_MS = 1_000;
const MAX_DRAFTS = 1_000;
/** Letters that the second half of a token has at least; it is secret by itself. */
const MIN_SECRET = 8;

/**
 * A Telegram bot by long polling. An update counts as received only once it was published: the next poll's offset says
 * so, so
 * that what a crash cuts off comes again, under the same id.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export function telegramChannel(options: TelegramChannelOptions): Channel {
  const { token, name, baseUrl, pollSeconds, edits, fullText, locate } = parseOptions(
    "telegramChannel",
    schema,
    options,
  );
  const stopping = new AbortController();
  let context: ChannelContext | undefined;
  let polling: Promise<void> = Promise.resolve();
  /** The message that shows a turn's growing reply, by execution. Bounded; one that is forgotten is left as it is. */
  const drafts = new Map<string, number>();
  const sendPieces = createPieceSender();
  const notices = createFullNotices(
    () => context,
    name,
    async (chat) => {
      if (fullText !== "") await call("sendMessage", { chat_id: chat, text: fullText }, sentMessage);
    },
  );

  /** The token is part of every address, which servers and proxies like to repeat; so is its secret half alone. */
  const withoutToken = (text: string): string =>
    [token, encodeURIComponent(token), ...token.split(":").slice(1)]
      .filter((secret) => secret.length >= MIN_SECRET || secret === token)
      .reduce((rest, secret) => rest.replaceAll(secret, "…"), text);

  async function call<T>(method: string, body: JsonObject, result: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    let parsed: z.output<typeof answer>;
    try {
      const response = await fetch(`${baseUrl}/bot${token}/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      });
      parsed = answer.parse(await response.json());
    } catch (error) {
      throw noAnswer(`Telegram gave no answer to ${method}`, error, withoutToken);
    }
    if (parsed.ok) return result.parse(parsed.result);
    const { error_code: code = 0, description = "no reason given", parameters } = parsed;
    const details = {
      status: code,
      ...(parameters?.retry_after === undefined ? {} : { retryAfterMs: parameters.retry_after * 1_000 }),
    };
    throw new HebraError("SERVER_REFUSED", `Telegram refused ${method} with ${code}: ${withoutToken(description)}.`, {
      retryable: code === 429 || code >= 500,
      details,
    });
  }

  async function poll({ publish, clock, logger }: ChannelContext): Promise<void> {
    let offset = 0;
    while (!stopping.signal.aborted) {
      try {
        const updates = await call(
          "getUpdates",
          { offset, timeout: pollSeconds, allowed_updates: ["message", "edited_message"] },
          z.array(update),
          stopping.signal,
        );
        for (const { update_id, message, edited_message: edited } of updates) {
          if (stopping.signal.aborted) return;
          let chat: string | undefined;
          try {
            if (message !== undefined || edited !== undefined) {
              const said = toMessage(spoken.parse(message ?? edited));
              chat = said.chat;
              await publish(said);
            }
          } catch (error) {
            if (errorCode(error) === "BACKLOG_FULL" && chat !== undefined) notices.full(chat);
            else if (!isHopeless(error)) throw error;
            // It will never be taken: going on without it is better than never going on.
            logger.error("An update cannot be taken and is passed over.", {
              channel: name,
              updateId: update_id,
              error: errorMessage(error),
            });
          }
          offset = update_id + 1;
        }
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.warn("Updates could not be handed over and are asked for again.", {
          channel: name,
          error: errorMessage(error),
        });
        const waitMs = HebraError.isInstance(error) ? Number(error.details["retryAfterMs"] ?? RETRY_MS) : RETRY_MS;
        await sleep(clock, waitMs, stopping.signal).catch(() => undefined);
      }
    }
  }

  function toMessage({
    message_id,
    edit_date,
    chat,
    from,
    text,
    caption,
    ...rest
  }: z.output<typeof spoken>): ChannelMessage {
    const words = text ?? caption;
    const kinds = ["photo", "document", "voice", "audio", "video", "location", "contact", "sticker"].filter(
      (kind) => rest[kind] !== undefined,
    );
    const message: ChannelMessage = {
      // An edit is a message of its own, that says which one it replaces.
      id: edit_date === undefined ? String(message_id) : `${message_id}:edit:${edit_date}`,
      chat: String(chat.id),
      text: words ?? `[${kinds.join(", ") || "message"}]`,
      ...(from === undefined
        ? {}
        : { sender: { id: String(from.id), ...(from.first_name === undefined ? {} : { name: from.first_name }) } }),
      ...(kinds.length === 0 && edit_date === undefined
        ? {}
        : {
            metadata: {
              ...(edit_date === undefined ? {} : { edits: String(message_id) }),
              ...(kinds.length === 0
                ? {}
                : {
                    media: Object.fromEntries(
                      kinds.map((kind) => [kind, JSON.parse(JSON.stringify(rest[kind]))]),
                    ) as JsonObject,
                  }),
            },
          }),
    };
    return { ...message, ...locate?.(message) };
  }

  const channel: Channel = {
    name,
    async start(given) {
      context = given;
      polling = poll(given);
    },
    async stop() {
      stopping.abort();
      await polling;
    },
    async send({ id, chat, text, executionId, index, piece }) {
      await sendPieces(id, pieces(text, MAX_TEXT), async (words, place) => {
        const isFirst = index === 0 && place === 0 && (piece?.index ?? 0) === 0;
        const draft = isFirst && executionId !== undefined ? drafts.get(executionId) : undefined;
        if (draft === undefined) await call("sendMessage", { chat_id: chat, text: words }, sentMessage);
        else await edit(chat, draft, words);
      });
      if (executionId !== undefined) drafts.delete(executionId);
    },
  };
  if (!edits) return channel;
  return {
    ...channel,
    async sendDelta({ chat, text, executionId }) {
      const shown = pieces(text, MAX_TEXT)[0]!;
      const draft = drafts.get(executionId);
      if (draft !== undefined) return edit(chat, draft, shown);
      const { message_id } = await call("sendMessage", { chat_id: chat, text: shown }, sentMessage);
      drafts.set(executionId, message_id);
      if (drafts.size > MAX_DRAFTS) drafts.delete(drafts.keys().next().value!);
      context?.logger.debug("A growing reply is shown.", { channel: name });
    },
  };

  async function edit(chat: string, messageId: number, text: string): Promise<void> {
    try {
      await call("editMessageText", { chat_id: chat, message_id: messageId, text }, z.unknown());
    } catch (error) {
      // The text is as it should be.
      if (HebraError.isInstance(error) && error.details["status"] === 400 && error.message.includes("not modified"))
        return;
      throw error;
    }
  }
}

const hopeless = new Set<string>([
  "DEFINITION_MISSING",
  "INVALID_OPTIONS",
  "INVALID_ID",
  "ENVELOPE_TOO_LARGE",
  "NOT_SERIALIZABLE",
  "TRIGGER_MISMATCH",
]);

/** What will be refused however often it is tried: a message that cannot be read, or that no bus takes. */
function isHopeless(error: unknown): boolean {
  return error instanceof z.ZodError || (HebraError.isInstance(error) && hopeless.has(error.code));
}
