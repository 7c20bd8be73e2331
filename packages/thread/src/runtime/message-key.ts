import { digest } from "@hebra/core";

/** Characters that an id may have. */
const MAX_ID = 512;

/**
 * The id of a message within its conversation. A channel's own ids are unique in a chat, and a conversation may have
 * several chats, so that in any conversation but the chat's own the chat is part of the id. Names of channels have no
 * `:` or `@`, and a chat is encoded: no two messages share an id.
 */
export function messageKey(message: { channel: string; session: string; chat: string; id: string }): string {
  const { channel, session, chat, id } = message;
  if (session === `${channel}:${chat}`) return `${channel}:${id}`;
  const key = `@${channel}:${encodeURIComponent(chat)}:${id}`;
  return key.length <= MAX_ID ? key : `@${channel}:#${digest([chat, id])}`;
}
