import { HebraError } from "@hebra/core";
import type { Reactor } from "@hebra/reactor";
import { defineThread, type ThreadOptions } from "../definition/define-thread.ts";
import type { Channel, ChannelContext, ChannelDelta, ChannelMessage, ChannelReply, Publication } from "./channel.ts";

/** Answers `echo: <last thing the user said>`, and counts how often it was asked. */
export function echoReactor(
  before: (said: string, signal: AbortSignal) => Promise<void> | void = () => {},
): Reactor & { asked: string[] } {
  const asked: string[] = [];
  return {
    contract: "reactor-v1",
    name: "echo",
    asked,
    async *react(input) {
      const last = input.transcript.filter(({ role }) => role === "user").at(-1);
      const part = last?.parts.at(-1);
      const said = part?.kind === "text" ? part.text : "";
      asked.push(said);
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: "echo: " };
      await before(said, input.signal);
      yield { type: "part-delta", partId: "p", delta: said };
      yield { type: "part-end", partId: "p" };
      yield { type: "usage", usage: {} };
      yield { type: "finish", reason: "stop" };
    },
  };
}

export const echoThread = (reactor: Reactor = echoReactor(), over: Partial<ThreadOptions> = {}) =>
  defineThread({ name: "echo", reactor, ...over });

/** A channel in memory: what it sent can be read and waited for. */
export interface MemoryChannel extends Channel {
  readonly replies: ChannelReply[];
  readonly deltas: ChannelDelta[];
  publish(message: ChannelMessage): Promise<Publication>;
  /** Resolves when so many replies were sent. */
  received(count: number): Promise<ChannelReply[]>;
}

export function memoryChannel(
  name = "memory",
  send: (reply: ChannelReply) => Promise<void> = async () => {},
): MemoryChannel {
  const replies: ChannelReply[] = [];
  const deltas: ChannelDelta[] = [];
  let context: ChannelContext | undefined;
  let wake = () => {};
  return {
    name,
    replies,
    deltas,
    async start(given) {
      context = given;
    },
    async stop() {},
    async send(reply) {
      await send(reply);
      replies.push(reply);
      context?.report({
        chat: reply.chat,
        messageId: `memory-${reply.id}`,
        replyId: reply.id,
        status: "delivered",
        at: context.clock.now(),
      });
      wake();
    },
    async sendDelta(delta) {
      deltas.push(delta);
    },
    publish(message) {
      if (context === undefined) throw new HebraError("CLOSED", "The channel was not started.");
      return context.publish(message);
    },
    async received(count) {
      while (replies.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return replies;
    },
  };
}

/** A promise with its ends outside. */
export function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open: () => open() };
}
