import { setTimeout as wait } from "node:timers/promises";
import { errorCode } from "@hebra/core";
import type { ChannelMessage } from "@hebra/thread/runtime";
import { nonceOf, now, type SentConversation, type SentMessage } from "./records.ts";
import type { Stage } from "./stage.ts";

/** How users talk. */
export interface Talk {
  name: string;
  users: number;
  /** Messages of each user, at least. */
  each: number;
  /** Whether users go on beyond that. @defaultValue they do not */
  goOn?(): boolean;
  /** Every message is published so many times. @defaultValue 1 */
  copies?: number;
  /** Milliseconds that a message takes. @defaultValue 20 to 39 */
  handleMs?(user: number, n: number): number;
  /** @defaultValue "default" */
  tenant?: string;
  /** Milliseconds between two messages of a user, about. @defaultValue 400 */
  everyMs?: number;
}

/** Milliseconds until a refused message is published again. */
const AGAIN_MS = 100;

/** What a channel would try again. */
const passing = new Set(["UNREACHABLE", "CLOSED", "SERVER_REFUSED", "STORE_FAILED"]);

/** Publishes as a channel does: what is refused for now is sent again. `published` is called before each try. */
export async function publish(
  stage: Pick<Stage, "gateway">,
  message: ChannelMessage,
  published?: () => void,
): Promise<void> {
  for (;;) {
    try {
      published?.();
      await stage.gateway.publish("chaos", message);
      return;
    } catch (error) {
      if (!passing.has(errorCode(error) ?? "")) throw error;
      await wait(AGAIN_MS);
    }
  }
}

/** Lets every user say what he has to say, in order, without waiting for answers. */
export async function talk(
  stage: Pick<Stage, "gateway">,
  { name, users, each, goOn = () => false, copies = 1, handleMs, tenant = "default", everyMs = 400 }: Talk,
): Promise<SentConversation[]> {
  return Promise.all(
    Array.from({ length: users }, async (_, user): Promise<SentConversation> => {
      const chat = `${name}-${user}`;
      const messages: SentMessage[] = [];
      await wait((user / users) * everyMs);
      for (let n = 0; n < each || goOn(); n++) {
        const message: SentMessage = { id: String(n), nonce: nonceOf(name, user, n) };
        messages.push(message);
        const ms = handleMs?.(user, n) ?? 20 + ((user * 7 + n * 3) % 20);
        const sent = { id: message.id, chat, text: `${message.nonce}|${ms}`, tenant, thread: "echo" };
        await Promise.all(Array.from({ length: copies }, () => publish(stage, sent, () => (message.at ??= now()))));
        await wait(everyMs * (0.75 + ((user * 13 + n * 29) % 50) / 100));
      }
      return { tenant, session: `chaos:${chat}`, messages };
    }),
  );
}
