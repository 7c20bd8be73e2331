import type { Clock } from "@hebra/core";
import type { ChannelReply, ChannelWaiting } from "../../channel.ts";

/** What somebody waited for: the answer, or that it waits for a person. */
export type Answer = { reply: ChannelReply } | { waiting: ChannelWaiting };

/** Requests that wait for a reply, by the message that they posted. */
export interface Waiters {
  /** Resolves with the answer, or with nothing at the deadline, when the caller leaves, or on `cancel`. */
  wait(
    key: string,
    options: { ms: number; signal: AbortSignal; clock: Clock },
  ): { promise: Promise<Answer | undefined>; cancel: () => void };
  tell(key: string, answer: Answer): void;
}

export function createWaiters(): Waiters {
  const waiting = new Map<string, Set<(answer: Answer) => void>>();
  return {
    tell(key, answer) {
      for (const take of [...(waiting.get(key) ?? [])]) take(answer);
    },
    wait(key, { ms, signal, clock }) {
      let cancel = () => {};
      const promise = new Promise<Answer | undefined>((resolve) => {
        const set = waiting.get(key) ?? new Set();
        const pieces: string[] = [];
        const take = (answer: Answer) => {
          if ("waiting" in answer) return end(answer);
          const { piece, ...whole } = answer.reply;
          if (piece === undefined) return end(answer);
          // Whoever asks again in the middle of a reply has missed its beginning.
          if (piece.index !== pieces.length) return;
          pieces.push(whole.text);
          if (pieces.length === piece.count) end({ reply: { ...whole, text: pieces.join("") } });
        };
        const end = (answer?: Answer) => {
          cancelTimer();
          signal.removeEventListener("abort", cancel);
          set.delete(take);
          if (set.size === 0 && waiting.get(key) === set) waiting.delete(key);
          resolve(answer);
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
