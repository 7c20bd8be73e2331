import type { ErrorSignature, JsonValue } from "@hebra/core";
import type { Durability } from "../durability.ts";
import type { TraceContext } from "../trace-context.ts";

/** What became of one published message. */
export interface PublishReceipt {
  /** The message's id. */
  readonly id: string;
  /**
   * `accepted`; `duplicate`: one with this idempotency key was accepted within the window, and this one was dropped;
   * `full`: the conversation's backlog has reached its limit, and this one was not taken: publish it again later;
   * `shed`: likewise, and by policy it is dropped for good.
   */
  readonly status: "accepted" | "duplicate" | "full" | "shed";
  /** Whether the message outlives this process, at the durability asked for. Always false on the local bus. */
  readonly durable: boolean;
  /** The durability that was reached: `memory` where more was asked for and not reached in time. */
  readonly durability: Durability;
}

/** Figures of one direction. */
export interface DirectionStats {
  /** Messages in mailboxes, those being handled included. */
  readonly depth: number;
  /** Age of the oldest first message of a mailbox, in milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number;
  /**
   * As `oldestAgeMs`, of the conversations that could be handed out now: those that nobody holds, that are not parked,
   * and whose
   * retry is not in the future. What more consumers could shorten: 0 while each of these has been taken up. Messages
   * behind one
   * that is being handled wait for their conversation, and those of a tenant that has reached its limit for the limit.
   */
  readonly oldestWaitingAgeMs: number;
  /** Conversations on lease. */
  readonly inFlight: number;
  /** Conversations that wait for a retry. */
  readonly delayed: number;
  /** Conversations stopped by a failed message: see `onExhausted: "park"`. */
  readonly parked: number;
  /** Messages scheduled for later. */
  readonly scheduled: number;
}

/** A message that was delayed or scheduled and has not joined its mailbox yet. */
export interface ScheduledMessage<Payload = JsonValue> {
  /** The message's id: what `unschedule` takes. */
  readonly id: string;
  /** The conversation's tenant. */
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  /** When it joins, in milliseconds since the epoch by the bus's clock. */
  readonly at: number;
  /** What duplicates are recognised by; the id unless the publisher gave another. */
  readonly idempotencyKey: string;
  /** Whether the publisher asked for an interruption. */
  readonly interrupt: boolean;
  /** The trace that the message belongs to. */
  readonly trace?: TraceContext;
  /** What is carried: a copy of one's own. */
  readonly payload: Payload;
}

/** Figures of the whole bus. */
export interface BusStats {
  /** Towards those who think. */
  readonly inbound: DirectionStats;
  /** Towards the gateways, all of them together. */
  readonly outbound: DirectionStats;
  /** Dead letters kept. */
  readonly dead: number;
  /** The gateways that messages wait for. */
  readonly gateways: readonly string[];
}

/** Whether a process can serve. */
export interface BusHealth {
  /** True when the backend answers, its format is known, and neither drain nor close was called. */
  readonly ready: boolean;
  /** Why not. */
  readonly state: "ready" | "unreachable" | "upgrade-required" | "draining" | "closed";
  /** The error behind the state, if any: `UNREACHABLE` or `UPGRADE_REQUIRED`. */
  readonly error?: Error;
}

/** What a drain did. */
export interface DrainReport {
  /** Deliveries that their handlers settled in time. */
  readonly settled: number;
  /** Deliveries released at the deadline, or before their handlers saw them. */
  readonly released: number;
}

/** A message that was given up. */
export interface DeadLetter {
  /** The dead letter's own id. */
  readonly id: string;
  /** Where the message was: towards those who think, or towards a gateway. */
  readonly direction: "inbound" | "outbound";
  /** Outbound: the gateway. */
  readonly gatewayId?: string;
  /** The conversation's tenant. */
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  /** The message's id; absent when the envelope could not be decoded. */
  readonly messageId?: string;
  /** The envelope as it lay in the mailbox. */
  readonly envelope: string;
  /** How often the message was delivered. */
  readonly attempts: number;
  /** Why it was given up. */
  readonly cause: "exhausted" | "permanent" | "too-old" | "poison" | "overflow";
  /** The last error, without secrets. */
  readonly signature: ErrorSignature;
  /** When the message was published, in milliseconds since the epoch, when known. */
  readonly firstSeenAt?: number;
  /** When it was given up, in milliseconds since the epoch. */
  readonly at: number;
  /**
   * Whether the message still heads its mailbox and the conversation stands still until it is replayed or discarded.
   */
  readonly parked: boolean;
}

/** Messages that were given up: read them, try them again, drop them. */
export interface DeadLetters {
  /**
   * The newest first.
   *
   * @param options - `limit`: how many. @defaultValue 100. `before`: the `cursor` of the last page.
   */
  list(options?: { limit?: number; before?: string }): Promise<{ letters: DeadLetter[]; cursor?: string }>;
  /** One of them, or `undefined`. */
  get(id: string): Promise<DeadLetter | undefined>;
  /**
   * Puts the message back with its idempotency key, at the tail of its mailbox, with no attempts; a parked one stays at
   * the
   * head and its conversation goes on.
   *
   * @returns false when there is no such dead letter
   */
  replay(id: string): Promise<boolean>;
  /**
   * Drops it for good; a parked one leaves its mailbox and the conversation goes on. @returns false when there is none
   */
  discard(id: string): Promise<boolean>;
}
