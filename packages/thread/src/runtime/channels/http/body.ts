import { parseOptions, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { ChannelMessage } from "../../channel.ts";
import type { AskedAddress } from "./caller.ts";

const text = z.string();
const person = z.strictObject({ id: text.min(1).max(400), name: text.optional() });
/** What a client may say. Reasoning and results of actions are the engine's to write. */
const part = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text }),
  z.strictObject({ kind: z.literal("file"), mediaType: text.min(1), url: text.min(1), filename: text.optional() }),
  z.strictObject({ kind: z.literal("data"), name: text.min(1), data: z.json() }),
]);
const bodySchema = z.strictObject({
  id: text.min(1).max(400),
  chat: text.min(1).max(400).optional(),
  text: text.optional(),
  parts: z.array(part).optional(),
  sender: person.optional(),
  metadata: z.record(text, z.json()).optional(),
  tenant: text.min(1).optional(),
  session: text.min(1).optional(),
  thread: text.min(1).optional(),
  interrupt: z.boolean().optional(),
});

/** Every field that a body may have. */
export const messageFields: readonly string[] = Object.keys(bodySchema.shape);

/** A message as it was posted: its content, and the address that it asks for. */
export interface PostedMessage {
  content: Pick<ChannelMessage, "id" | "text" | "parts" | "metadata">;
  asked: AskedAddress;
}

/** @throws HebraError `INVALID_OPTIONS` @throws SyntaxError when it is not JSON */
export function readMessage(body: Uint8Array): PostedMessage {
  const { id, text, parts, metadata, ...asked } = parseOptions(
    "POST /messages",
    bodySchema,
    JSON.parse(new TextDecoder().decode(body)),
  );
  const content = {
    id,
    ...(text === undefined ? {} : { text }),
    ...(parts === undefined ? {} : { parts: parts as NonNullable<ChannelMessage["parts"]> }),
    ...(metadata === undefined ? {} : { metadata: metadata as JsonObject }),
  };
  return { content, asked: { ...asked, ...(metadata === undefined ? {} : { metadata: metadata as JsonObject }) } };
}
