import type { Clock } from "@hebra/core";
import type { ChannelReply } from "../../channel.ts";

/** Requests that wait for a reply, by the message that they posted. */
export interface Waiters {
  /** Resolves with the reply, or with nothing at the deadline, when the caller leaves, or on `cancel`. */
  wait(
    key: string,
    options: { ms: number; signal: AbortSignal; clock: Clock },
  ): { promise: Promise<ChannelReply | undefined>; cancel: () => void };
  tell(key: string, reply: ChannelReply): void;
}

export function createWaiters(): Waiters {
  const waiting = new Map<string, Set<(reply: ChannelReply) => void>>();
  return {
    tell(key, reply) {
      for (const take of [...(waiting.get(key) ?? [])]) take(reply);
    },
    wait(key, { ms, signal, clock }) {
      let cancel = () => {};
      const promise = new Promise<ChannelReply | undefined>((resolve) => {
        const set = waiting.get(key) ?? new Set();
        const pieces: string[] = [];
        const take = (reply: ChannelReply) => {
          const { piece, ...whole } = reply;
          if (piece === undefined) return end(reply);
          // Whoever asks again in the middle of a reply has missed its beginning.
          if (piece.index !== pieces.length) return;
          pieces.push(reply.text);
          if (pieces.length === piece.count) end({ ...whole, text: pieces.join("") });
        };
        const end = (reply?: ChannelReply) => {
          cancelTimer();
          signal.removeEventListener("abort", cancel);
          set.delete(take);
          if (set.size === 0 && waiting.get(key) === set) waiting.delete(key);
          resolve(reply);
        };
        cancel = () => end();
        const cancelTimer = clock.after(ms, cancel, { keepAlive: true });
        signal.addEventListener("abort", cancel, { once: true });
        waiting.set(key, set.add(take));
      });
      return { promise, cancel };
    },
  };
}
