import type { JsonValue } from "@hebra/core";
import type {
  BusHealth,
  BusStats,
  DeadLetters,
  DrainReport,
  PublishReceipt,
  ScheduledMessage,
} from "./client/bus-reports.ts";
import type { Durability } from "./durability.ts";
import type { TraceContext } from "./trace-context.ts";

/** Names one conversation. */
export interface ConversationAddress {
  /** Whose conversation it is. Fairness, caps and rates are per tenant. @defaultValue `default` */
  tenant?: string;
  /** The conversation, e.g. `telegram:991`: its messages are handled in order, one holder at a time. */
  session: string;
}

/** What inbound and outbound messages have in common. */
export interface MessageBase<Payload> extends ConversationAddress {
  /** The message's own id; a new one when absent. Two messages of one conversation with one id are one message. */
  id?: string;
  /** Milliseconds before the message joins its mailbox, at the tail as it is then. @defaultValue 0 */
  delayMs?: number;
  /** The trace that the message belongs to. */
  trace?: TraceContext;
  /** What is carried. Plain JSON; anything else is refused, also by the local bus. */
  payload: Payload;
}

/** A message for the one who thinks. */
export interface InboundMessage<Payload = JsonValue> extends MessageBase<Payload> {
  /** Names the message for de-duplication where its id cannot, e.g. the channel's native id. @defaultValue the id */
  idempotencyKey?: string;
  /** Tells the present holder of the conversation at once: see {@link Delivery.onMore}. @defaultValue false */
  interrupt?: boolean;
  /**
   * Between conversations only: a conversation made ready by a `high` message is served before `normal` ones, eight to
   * one. Inside a conversation the order never changes. @defaultValue `normal`
   */
  priority?: "normal" | "high";
}

/** A message for the outside, addressed to the gateway that owns the channel. */
export interface OutboundMessage<Payload = JsonValue> extends MessageBase<Payload> {
  /** The gateway whose `consumeOutbound` gets it. */
  gatewayId: string;
  /** Position within its turn, for receivers that merge parts. */
  seq?: number;
}

/** A reply inside an ack: the conversation is the delivery's own. */
export type Reply<Payload = JsonValue> = Omit<OutboundMessage<Payload>, "session" | "tenant">;

/** How messages are published. */
export interface PublishOptions {
  /**
   * What must be true before the call resolves: `memory` — the server has it (its own persistence applies);
   * `replicated` —
   * a replica has it too; `fsync` — it is on disk (Redis 7.2 and later). The local bus has only `memory`.
   *
   * @defaultValue the bus's own setting, which is `memory` unless it was given another
   */
  durability?: Durability;
  /**
   * What happens when the durability is not reached in time. `accept` resolves: `durable: false`, and what was
   * reached. `refuse` rejects with `DURABILITY_MISSED`. The message is stored either way: published again with its id,
   * it is stored once and waits again.
   *
   * @defaultValue the bus's own setting, which is `accept` unless it was given another
   */
  onDurabilityMissed?: "accept" | "refuse";
}

/** A message as a consumer gets it. */
export interface ReceivedMessage<Payload = JsonValue> {
  /** The message's id. */
  readonly id: string;
  /** The conversation's tenant. */
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  /** What duplicates are recognised by; the id unless the publisher gave another. */
  readonly idempotencyKey: string;
  /** When it was published, in milliseconds since the epoch by the bus's clock: the server's, where there is one. */
  readonly enqueuedAt: number;
  /** 1 at the first delivery. A lease that ended without an answer counts as well. */
  readonly attempt: number;
  /** Whether the publisher asked for an interruption. */
  readonly interrupt: boolean;
  /** Outbound: position within its turn. */
  readonly seq?: number;
  /** The trace that the message belongs to. */
  readonly trace?: TraceContext;
  /** What is carried: a copy of one's own. */
  readonly payload: Payload;
}

/** What is told to a holder whose conversation received more. */
export interface MoreNotice {
  /** Whether one of the new messages asks for an interruption. */
  interrupt: boolean;
}

/** What an ack settles and sends. */
export interface AckOptions {
  /** Replies, made visible in the same atomic step that removes the messages. Duplicate ids are dropped. */
  outbound?: readonly Reply[];
  /**
   * How many of the leased messages, from the first, are done. The others go back, in order and without an attempt
   * counted. @defaultValue all of them
   */
  count?: number;
}

/** Why and until when messages go back. */
export interface NackOptions {
  /** What went wrong. A HebraError that is not `retryable` is permanent; `details.retryAfterMs` is honoured. */
  error?: unknown;
  /** A word for the dead letter when there is no error. */
  reason?: string;
  /**
   * Milliseconds until the next delivery. @defaultValue exponential back-off with full jitter, by the attempts so far
   */
  delayMs?: number;
  /**
   * Whether trying again is pointless: a single message is dead-lettered (or parked) now. @defaultValue from the error
   */
  permanent?: boolean;
}

/** A conversation on lease: its holder alone may settle it. */
export interface ConversationLease<Payload = JsonValue> {
  /** The conversation's tenant. */
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  /** The messages held, in order; `take` adds to them. */
  readonly messages: readonly ReceivedMessage<Payload>[];
  /**
   * The fencing token: larger than that of every earlier lease of this conversation. A store must refuse a smaller one
   * than
   * the last it accepted. Microseconds since the epoch unless more were issued than microseconds passed.
   */
  readonly fence: number;
  /** Aborts when the lease is lost, with a HebraError `LEASE_LOST`; also at the deadline of a drain. */
  readonly signal: AbortSignal;
  /**
   * Leases further messages of this conversation in mid-turn, to steer, interrupt or merge. Messages of a batch that
   * has
   * failed before are not given: they are delivered one at a time.
   *
   * @param options - `max`: how many at most. @defaultValue 1
   * @throws HebraError `LEASE_LOST`
   */
  take(options?: { max?: number }): Promise<readonly ReceivedMessage<Payload>[]>;
  /**
   * Calls back when further messages wait that `take` would give, now or later; several may share one call.
   *
   * @returns stops the calls
   */
  onMore(listener: (notice: MoreNotice) => void): () => void;
  /**
   * Renews the lease now. Leases renew themselves: this asks whether it is still held. @throws HebraError `LEASE_LOST`
   */
  extend(): Promise<void>;
  /**
   * The messages are done: they leave, and the replies go out, in one atomic step.
   *
   * While the backend is away it waits, and is sent again: acting once. Await it before you call the work done.
   *
   * @throws HebraError `LEASE_LOST`: nothing happened, the messages are delivered again. `CLOSED`: the bus was closed
   * before there was an answer; which of both is unknown. `NOT_SERIALIZABLE`, `ENVELOPE_TOO_LARGE`, `INVALID_OPTIONS`:
   * for
   * the replies or the count, with nothing settled. `ILLEGAL_TRANSITION` when it was settled before.
   */
  ack(options?: AckOptions): Promise<void>;
  /** Gives the messages back without counting an attempt. After the lease was lost it does nothing. */
  release(options?: { delayMs?: number }): Promise<void>;
}

/** What a consumer gets: one conversation with its oldest messages, at least one. */
export interface Delivery<Payload = JsonValue> extends ConversationLease<Payload> {
  /** How often the first message has been delivered, this time included. */
  readonly attempt: number;
  /**
   * The messages failed. They are tried again one by one after a delay, or become dead letters when attempts or age are
   * used up or the error is permanent. After the lease was lost it does nothing.
   */
  nack(options?: NackOptions): Promise<void>;
}

/** A conversation held by a direct call. It begins with no messages; `take` leases those that wait behind. */
export type Claim<Payload = JsonValue> = ConversationLease<Payload>;

/** How a conversation is claimed. */
export interface ClaimOptions {
  /** Milliseconds to wait in line, behind the messages that were there before. 0 tries once. @defaultValue 30 000 */
  waitMs?: number;
  /** Gives up waiting. It has no effect on a claim once held. */
  signal?: AbortSignal;
}

/** How messages are consumed. */
export interface ConsumeOptions {
  /** Ends consuming: no more is leased, what was leased but not yet handed out is released, the iteration ends. */
  signal?: AbortSignal;
  /** Conversations held at once; a slot is free again when a delivery is settled or lost. @defaultValue 10 */
  concurrency?: number;
  /**
   * Messages in one delivery at most. More than 1 joins what a conversation has waiting into one turn. @defaultValue 1
   */
  maxBatch?: number;
}

/**
 * Handles one delivery. What it returns is acked with it. Its signal aborts when the lease is lost: what it returns or
 * throws then is of no effect.
 */
export type DeliveryHandler<Payload = JsonValue> = (delivery: Delivery<Payload>) => Promise<AckOptions | void>;

/** How a gateway consumes. */
export interface ConsumeOutboundOptions extends ConsumeOptions {
  /** The gateway. */
  gatewayId: string;
}

/**
 * Mailboxes, one a conversation. The same contract holds for the local bus and for the one on Redis:
 *
 * - At least once. Messages leave only by an ack (or to the dead letters). FIFO inside a conversation, also across
 *   redelivery, overflow and any number of consumers; conversations are served in parallel and tenants in turn.
 * - One valid lease a conversation. A lease saves work; the fence, checked by the store, is the boundary of
 *   correctness.
 * - Attempts belong to messages and count ended leases too, so that a message that kills its process ends as a dead
 *   letter.
 *   After a failed or expired batch its messages are delivered one at a time.
 */
export interface Bus<Inbound = JsonValue, Outbound = JsonValue> {
  /**
   * Puts messages at the tail of their mailboxes. All messages of one conversation go in together, in the given order.
   *
   * @returns a receipt for each message, in the order given
   * @throws HebraError before anything is published: `NOT_SERIALIZABLE`, `ENVELOPE_TOO_LARGE`, `INVALID_ID`,
   * `DURABILITY_UNSUPPORTED`; `DURABILITY_MISSED`, see `onDurabilityMissed`; `UNREACHABLE` when it is unknown what was:
   * publish again with the same ids. `CLOSED`.
   */
  publishInbound(
    messages: InboundMessage<Inbound> | readonly InboundMessage<Inbound>[],
    options?: PublishOptions,
  ): Promise<PublishReceipt[]>;
  /** As {@link Bus.publishInbound}, towards a gateway. */
  publishOutbound(
    messages: OutboundMessage<Outbound> | readonly OutboundMessage<Outbound>[],
    options?: PublishOptions,
  ): Promise<PublishReceipt[]>;
  /**
   * Leases conversations as they become ready, at most `concurrency` at once. Never throws for a backend that is away:
   * it
   * waits and goes on by itself. The iteration ends by the signal, by `drain` and by `close`.
   */
  consumeInbound(options?: ConsumeOptions): AsyncIterableIterator<Delivery<Inbound>>;
  /**
   * Handles deliveries: acks with what the handler returns, nacks with what it throws. A delivery that the handler
   * settled itself stays as it is. Resolves when consuming has ended (by the signal, `drain` or `close`) and every
   * handler has returned.
   *
   * @example
   * ```ts
   * import { localBus } from "@hebra/bus";
   *
   * const bus = localBus();
   * const stop = new AbortController();
   * const done = bus.process(
   *   async (delivery) => ({ outbound: [{ gatewayId: "main", payload: delivery.messages.length }] }),
   *   { concurrency: 8, signal: stop.signal },
   * );
   * await bus.publishInbound({ session: "telegram:991", payload: "Hola" });
   * stop.abort();
   * await done;
   * await bus.close();
   * ```
   */
  process(handler: DeliveryHandler<Inbound>, options?: ConsumeOptions): Promise<void>;
  /** As {@link Bus.consumeInbound}, for the messages addressed to one gateway. */
  consumeOutbound(options: ConsumeOutboundOptions): AsyncIterableIterator<Delivery<Outbound>>;
  /** One delivery for a gateway if one is ready now, without waiting. */
  tryConsumeOutbound(options: { gatewayId: string; maxBatch?: number }): Promise<Delivery<Outbound> | undefined>;
  /**
   * Takes a conversation for a direct call: a ticket at the mailbox's tail, so that waiting is first come, first served
   * together with the messages. Until `ack` or `release` nobody else gets the conversation.
   *
   * @throws HebraError `LOCK_TIMEOUT` after `waitMs`, `ABORTED`, `UNREACHABLE`, `CLOSED`.
   */
  claim(address: ConversationAddress, options?: ClaimOptions): Promise<Claim<Inbound>>;
  /** Publishes at a point in time: milliseconds since the epoch. The message needs an id if it is to be cancelled. */
  schedule(message: InboundMessage<Inbound>, options: PublishOptions & { at: number }): Promise<PublishReceipt>;
  /**
   * Takes back a message that was delayed or scheduled and has not joined its mailbox yet. Its id may be used again at
   * once;
   * an idempotency key of its own stays known for the window.
   *
   * @returns whether there was one
   */
  unschedule(address: ConversationAddress & { id: string }): Promise<boolean>;
  /**
   * Inbound messages that have not joined their mailbox yet: what `unschedule` can take back. Soonest first within a
   * conversation, and over all where the bus has one partition. One whose time comes while pages are read may be missed
   * or
   * told twice.
   *
   * @param options - `limit`: how many. @defaultValue 100. `after`: the `cursor` of the last page.
   * @throws HebraError `INVALID_OPTIONS`
   */
  scheduled(options?: {
    limit?: number;
    after?: string;
  }): Promise<{ messages: ScheduledMessage<Inbound>[]; cursor?: string }>;
  /**
   * For operators: conversations of both directions that wait for a retry are served from now on, also those whose
   * other side
   * asked for more time. What is on lease, scheduled or parked stays as it is, and attempts count on.
   *
   * @returns how many there were
   */
  retryNow(): Promise<number>;
  /** Tells the bus the last fence that a store accepted for a conversation, so that the next one is larger. */
  seedFence(address: ConversationAddress, lastFence: number): Promise<void>;
  /** What waits, is held and is dead, over all processes. */
  stats(): Promise<BusStats>;
  /** Whether this process can serve, and why not. Reads memory only. */
  health(): BusHealth;
  /** Messages that were given up. */
  readonly deadLetters: DeadLetters;
  /**
   * Stops consuming in this process and waits for what is held. At the deadline the rest is released without an attempt
   * counted and its signals abort. Publishing goes on until `close`.
   */
  drain(options?: { deadlineMs?: number }): Promise<DrainReport>;
  /** Drains with a deadline of 0 and lets go of every timer and connection of its own. Closing twice does nothing. */
  close(): Promise<void>;
}
