import { silentLogger, systemClock, type Clock } from "@hebra/core";
import type { Reactor } from "@hebra/reactor";
import { defineThread } from "../../definition/define-thread.ts";
import { memoryStore } from "../../store/memory.ts";
import type { ThreadStore } from "../../store/store.ts";
import type { ChannelContext, ChannelMessage, ChannelReply, ReplyStatus } from "../channel.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import type { ChannelContractOptions, OtherSide } from "./other-side.ts";

/** One promise, as a test over a channel. */
export type Clause = (bench: Bench) => Promise<void>;

/** What clauses work with. */
export interface Bench {
  create: ChannelContractOptions["create"];
  /** Starts the channel under a context whose `publish` is the clause's own. */
  start(
    other: OtherSide,
    publish: (message: ChannelMessage, count: number) => Promise<void> | void,
  ): Promise<{ published: ChannelMessage[]; reached(count: number): Promise<void>; statuses: ReplyStatus[] }>;
  /** Starts the channel in a whole runtime that answers `echo: <what was said>`. */
  serve(other: OtherSide): Promise<{ runtime: Runtime; store: ThreadStore }>;
}

const echo: Reactor = {
  contract: "reactor-v1",
  name: "echo",
  async *react({ transcript }) {
    const part = transcript.findLast(({ role }) => role === "user")?.parts.at(-1);
    yield { type: "part-start", partId: "p", kind: "text" };
    yield { type: "part-delta", partId: "p", delta: `echo: ${part?.kind === "text" ? part.text : ""}` };
    yield { type: "part-end", partId: "p" };
    yield { type: "usage", usage: {} };
    yield { type: "finish", reason: "stop" };
  },
};

/** Long waits are short: what is asked for is told by the errors. */
const hasty: Clock = {
  ...systemClock,
  after: (ms, callback, options) => systemClock.after(Math.min(ms, 5), callback, options),
};

/** A reply to a chat, as a dispatcher gives it. */
export const replyTo = (chat: string, text: string, more: Partial<ChannelReply> = {}): ChannelReply => ({
  id: `reply-${text}`,
  tenant: "default",
  session: chat,
  chat,
  inReplyTo: "1",
  text,
  index: 0,
  ...more,
});

/** Lets what is under way come to rest, as far as it does without time. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** Runs a clause, and ends what it began. */
export async function runClause(clause: Clause, { create }: ChannelContractOptions): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  const bench: Bench = {
    async create(options) {
      const other = await create(options);
      closers.push(() => other.close());
      return other;
    },
    async start({ channel }, publish) {
      const published: ChannelMessage[] = [];
      const statuses: ReplyStatus[] = [];
      let changed = () => {};
      const context: ChannelContext = {
        gatewayId: "contract",
        async publish(message) {
          published.push(message);
          changed();
          await publish(message, published.length);
          return {
            status: "accepted",
            tenant: message.tenant ?? "default",
            session: message.session ?? `${channel.name}:${message.chat}`,
            durable: false,
          };
        },
        report: (status) => void statuses.push(status),
        clock: hasty,
        logger: silentLogger,
      };
      await channel.start(context);
      closers.push(() => channel.stop());
      return {
        published,
        statuses,
        async reached(count) {
          while (published.length < count) await new Promise<void>((resolve) => (changed = resolve));
        },
      };
    },
    async serve({ channel }) {
      const store = memoryStore();
      const runtime = createRuntime({ threads: [defineThread({ name: "echo", reactor: echo })], store });
      closers.push(() => runtime.close());
      await runtime.gateway({ channels: [channel] });
      return { runtime, store };
    },
  };
  try {
    await clause(bench);
  } finally {
    // The channel first, then its other side: it may be waiting for it.
    for (const close of closers.reverse()) await close();
  }
}
