import type { JsonObject } from "@hebra/core";
import * as z from "zod";
import type { ChannelMessage, ReplyStatus } from "../../channel.ts";

/** What the Cloud API posts to a webhook. What is not named here is let through: the API grows. */
const text = z.string();
const message = z.looseObject({ id: text, from: text, type: text });
const status = z.looseObject({
  id: text,
  status: text,
  timestamp: text,
  recipient_id: text,
  biz_opaque_callback_data: text.optional(),
  errors: z
    .array(
      z.looseObject({
        code: z.number(),
        title: text.optional(),
        message: text.optional(),
        error_data: z.looseObject({ details: text.optional() }).optional(),
      }),
    )
    .optional(),
});
const value = z.looseObject({
  metadata: z.looseObject({ phone_number_id: text }),
  contacts: z
    .array(z.looseObject({ wa_id: text.optional(), profile: z.looseObject({ name: text.optional() }).optional() }))
    .optional(),
  messages: z.array(z.unknown()).optional(),
  statuses: z.array(z.unknown()).optional(),
});
const webhook = z.looseObject({
  object: z.literal("whatsapp_business_account"),
  entry: z.array(z.looseObject({ changes: z.array(z.looseObject({ field: text, value: z.unknown() })) })),
});

/** What one post told, in its order. */
export interface Told {
  messages: ChannelMessage[];
  statuses: ReplyStatus[];
  /** What it told that cannot be read, or is for another number: why, without its content. */
  skipped: string[];
}

const media = ["image", "audio", "video", "document", "sticker"];
/** What people do to messages, and what the service says: no words to anybody. */
const silent = new Set(["reaction", "system", "ephemeral"]);

/** @returns nothing when it is no post of the Cloud API at all */
export function readWebhook(body: unknown, phoneNumberId: string): Told | undefined {
  const parsed = webhook.safeParse(body);
  if (!parsed.success) return undefined;
  const told: Told = { messages: [], statuses: [], skipped: [] };
  for (const { field, value: raw } of parsed.data.entry.flatMap(({ changes }) => changes)) {
    if (field !== "messages") continue;
    const change = value.safeParse(raw);
    if (!change.success) told.skipped.push("a change that cannot be read");
    else if (change.data.metadata.phone_number_id !== phoneNumberId)
      told.skipped.push(`a change of the number ${change.data.metadata.phone_number_id}`);
    else readChange(change.data, told);
  }
  return told;
}

function readChange({ contacts = [], messages = [], statuses = [] }: z.output<typeof value>, told: Told): void {
  for (const raw of messages) {
    const found = message.safeParse(raw);
    if (!found.success) told.skipped.push("a message that cannot be read");
    else if (silent.has(found.data.type)) told.skipped.push(`a message of the type ${found.data.type}`);
    else told.messages.push(toMessage(found.data, contacts));
  }
  for (const raw of statuses) {
    const found = status.safeParse(raw);
    if (!found.success) {
      told.skipped.push("a status that cannot be read");
      continue;
    }
    const { id, status: state, timestamp, recipient_id, biz_opaque_callback_data: replyId, errors = [] } = found.data;
    if (state !== "sent" && state !== "delivered" && state !== "read" && state !== "failed") continue;
    const [error] = errors;
    const reason =
      error === undefined
        ? undefined
        : `${error.code}: ${error.error_data?.details ?? error.message ?? error.title ?? "no reason given"}`;
    told.statuses.push({
      chat: recipient_id,
      messageId: id,
      ...(replyId === undefined ? {} : { replyId }),
      status: state,
      at: Number(timestamp) * 1_000,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}

function toMessage(
  { id, from, type, context, ...rest }: z.output<typeof message>,
  contacts: NonNullable<z.output<typeof value>["contacts"]>,
): ChannelMessage {
  const name = contacts.find(({ wa_id }) => wa_id === from)?.profile?.name;
  const own = plain(rest[type]);
  const metadata: JsonObject = {
    ...(media.includes(type) ? { media: { [type]: own } } : {}),
    ...(type === "interactive" || type === "button" || type === "location" || type === "contacts" || type === "order"
      ? { [type]: own }
      : {}),
    ...(context === undefined ? {} : { context: plain(context) }),
  };
  return {
    id,
    chat: from,
    text: wordsOf(type, own) ?? `[${type}]`,
    sender: { id: from, ...(name === undefined ? {} : { name }) },
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

/** What a person said, or chose: a caption, the title of a button or of a row. */
function wordsOf(type: string, own: JsonObject): string | undefined {
  const said = (from: unknown, key: string): string | undefined => {
    const found = typeof from === "object" && from !== null ? (from as JsonObject)[key] : undefined;
    return typeof found === "string" && found !== "" ? found : undefined;
  };
  if (type === "text") return said(own, "body");
  if (type === "button") return said(own, "text");
  if (type === "interactive")
    return said(own["button_reply"], "title") ?? said(own["list_reply"], "title") ?? said(own["nfm_reply"], "body");
  return said(own, "caption");
}

/** As JSON that any store can keep. */
const plain = (found: unknown): JsonObject =>
  typeof found === "object" && found !== null ? (JSON.parse(JSON.stringify(found)) as JsonObject) : {};
