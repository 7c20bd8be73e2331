import { errorMessage } from "@hebra/core";
import type { ChannelContext } from "../channel.ts";

/** What a chat is told that floods its conversation. */
export const FULL_TEXT = "Too many of your messages are waiting. Please send this one again later.";

/** Milliseconds between two notices to one chat. */
const NOTICE_EVERY_MS = 30_000;
const MAX_REMEMBERED = 1_000;

/**
 * Tells chats that their conversations are full. A notice is sent beside the intake, and seldom: a flood makes no flood
 * of answers.
 */
export function createFullNotices(
  contextOf: () => ChannelContext | undefined,
  channel: string,
  send: (chat: string) => Promise<void>,
): { full(chat: string): void } {
  const told = new Map<string, number>();
  return {
    full(chat) {
      const context = contextOf();
      if (context === undefined) return;
      const now = context.clock.monotonic();
      const last = told.get(chat);
      if (last !== undefined && now - last < NOTICE_EVERY_MS) return;
      told.delete(chat);
      told.set(chat, now);
      if (told.size > MAX_REMEMBERED) told.delete(told.keys().next().value!);
      send(chat).catch((error: unknown) =>
        context.logger.warn("A chat could not be told that it is full.", { channel, error: errorMessage(error) }),
      );
    },
  };
}
