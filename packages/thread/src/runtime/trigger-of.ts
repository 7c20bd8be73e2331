import type { Trigger } from "../engine/trigger.ts";
import { messageKey } from "./message-key.ts";
import { asJson, type ReplyTo } from "./payloads.ts";
import type { RoutedMessage } from "./route.ts";

/** What the engine is given of a message. */
export function triggerOf(message: RoutedMessage, replyTo: ReplyTo): Trigger {
  const { channel, text, parts, metadata, sender, runId } = message;
  return {
    id: messageKey(message),
    channel,
    ...(text === undefined ? {} : { text }),
    ...(parts === undefined ? {} : { parts }),
    metadata: { ...metadata, ...(sender === undefined ? {} : { sender: asJson(sender) }) },
    correlation: { replyTo: asJson(replyTo), ...(runId === undefined ? {} : { runId }) },
  };
}
