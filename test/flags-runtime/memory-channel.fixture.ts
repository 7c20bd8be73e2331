import type { Channel, ChannelContext, ChannelMessage, ChannelReply, Publication } from "@hebra/thread/runtime";

/** A channel whose other side is the test. */
export interface MemoryChannel extends Channel {
  readonly replies: readonly ChannelReply[];
  publish(message: ChannelMessage): Promise<Publication>;
  /** Resolves when so many replies were sent. */
  received(count: number): Promise<readonly ChannelReply[]>;
}

export function memoryChannel(name = "memory"): MemoryChannel {
  const replies: ChannelReply[] = [];
  let context: ChannelContext | undefined;
  let wake = () => {};
  return {
    name,
    replies,
    async start(given) {
      context = given;
    },
    async stop() {},
    async send(reply) {
      replies.push(reply);
      wake();
    },
    publish: (message) => context!.publish(message),
    async received(count) {
      while (replies.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return replies;
    },
  };
}
