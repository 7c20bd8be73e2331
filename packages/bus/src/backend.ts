/**
 * What an adapter provides: mailboxes as a state machine behind few calls. Everything that needs no shared state —
 * leases
 * kept alive, decoding, retry policy, claims that wait — is built once on top of it. An adapter author implements this
 * and
 * proves it with the contract.
 */

import type { Body } from "./envelope.ts";

/** A direction: `in`, or `out:<gateway>`. Conversations of different spaces have nothing to do with each other. */
export type Space = string;

/** One message to put into a mailbox. */
export interface Entry {
  /** The conversation's key: see `lockKey` of @hebra/lock. */
  readonly conversation: string;
  /** What duplicates are recognised by, or `undefined` when none can arise. */
  readonly dedupKey: string | undefined;
  /** The message's id, for `unschedule`. */
  readonly id: string;
  /** The envelope. */
  readonly body: Body;
  /** Milliseconds before it joins the mailbox. */
  readonly delayMs: number;
  /** Whether the holder is told that this one interrupts. */
  readonly interrupt: boolean;
  /** Whether the conversation is served from the fast lane when it next becomes ready. */
  readonly high: boolean;
}

/** What became of an entry. */
export type EntryStatus = "accepted" | "duplicate" | "full";

/** A reply inside an ack. */
export interface ReplyEntry extends Entry {
  /** Where it goes. */
  readonly space: Space;
}

/** Why a message is given up, as the dead letter keeps it. */
export interface DeadRecord {
  /** See `DeadLetter.cause`. */
  readonly cause: string;
  /** How often it was delivered. */
  readonly attempts: number;
  /** The error's signature as JSON; empty when there is none. */
  readonly signature: string;
}

/** The end of a lease, or of a part of it. */
export type Settle = {
  readonly conversation: string;
  readonly fence: number;
} & (
  | { readonly kind: "ack"; readonly count: number; readonly replies: readonly ReplyEntry[] }
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "release"; readonly delayMs: number }
  /** The first message goes to the dead letters; the others are redeliveries only when they failed with it. */
  | { readonly kind: "dead"; readonly record: DeadRecord; readonly together: boolean }
  | { readonly kind: "park"; readonly record: DeadRecord }
  /** Settles nothing: asks for notices when more arrives. */
  | { readonly kind: "watch" }
);

/** A conversation on lease, as the backend gives it. */
export interface RawLease {
  readonly conversation: string;
  readonly fence: number;
  /** Deliveries of the first message, this one included. */
  readonly attempt: number;
  readonly bodies: readonly Body[];
}

/** Settles and claims in one step. */
export interface ExchangeRequest {
  readonly space: Space;
  /** Who asks: one request at a time for each. */
  readonly requester: string;
  /** Distinguishes this request of the requester from the one before: a request sent twice acts once. */
  readonly requestId: string;
  /** Who is to get notices about the leases. */
  readonly holder: string;
  readonly settles: readonly Settle[];
  /** Conversations wanted. */
  readonly want: number;
  /** Messages of each at most. */
  readonly perConversation: number;
  readonly leaseMs: number;
}

/** The answer to an {@link ExchangeRequest}. */
export interface ExchangeReply {
  /** For each settle: -1 when the lease was lost, else the number of messages that wait for `take`. */
  readonly settled: readonly number[];
  readonly leases: readonly RawLease[];
  /** Milliseconds until something becomes due, when fewer were leased than wanted. */
  readonly nextDueMs: number | undefined;
}

/** A call ticket: a place in a mailbox for a direct call. */
export interface TicketRequest {
  readonly conversation: string;
  readonly ticket: string;
  readonly holder: string;
  /** How long the ticket lives without being renewed, and the lease once it is granted. */
  readonly ttlMs: number;
  /** Whether it goes away at once when the mailbox is not empty. */
  readonly tryOnly: boolean;
}

/** A fence once the ticket is at the head, else where it stands. */
export type TicketReply = { readonly fence: number } | "waiting" | "busy";

/** A dead letter as the backend keeps it. */
export interface RawDeadLetter extends DeadRecord {
  readonly id: string;
  readonly space: Space;
  readonly conversation: string;
  readonly body: string;
  readonly at: number;
  readonly parked: boolean;
}

/** An envelope that has not joined its mailbox yet. */
export interface RawScheduled {
  readonly body: Body;
  /** When it does, in milliseconds since the epoch. */
  readonly at: number;
}

/** Figures of the spaces of one direction. */
export interface RawStats {
  depth: number;
  oldestEnqueuedAt: number | undefined;
  /** Of the conversations that could be handed out now. */
  oldestWaitingEnqueuedAt: number | undefined;
  inFlight: number;
  delayed: number;
  parked: number;
  scheduled: number;
}

/** News for a listener of a backend. */
export interface BackendListener {
  /** Work may be ready in a space of a partition. @returns false when there is no room for it: tell another process */
  ready(space: Space, partition: number): boolean;
  /** Whether `ready` would ask for work before it returns. */
  willClaim(space: Space, partition: number): boolean;
  /** A watched conversation received more, or a ticket came to the head. */
  notice(space: Space, conversation: string, interrupt: boolean): void;
  /** The backend went away or came back, or holds what this process cannot read. */
  health(state: "ready" | "unreachable" | "upgrade-required", error?: Error): void;
}

/** An adapter. Calls reject with `UNREACHABLE` when the server gives no answer; all can then be repeated. */
export interface Backend {
  /** How many independent parts there are; known once `start` resolved. */
  readonly partitions: number;
  /** Requests of one batcher that may be out at once, each under a name of its own. */
  readonly lanes: number;
  /** Milliseconds since the epoch by the clock that all processes share: the server's, where there is one. */
  now(): number;
  /** The part that a conversation lives in. */
  partitionOf(conversation: string): number;
  /** The envelope version to write. */
  readonly format: number;
  /**
   * Whether messages stay in this process: their bodies are then values; all others are given text. @defaultValue false
   */
  readonly inProcess?: boolean;
  /** Whether an accepted message outlives the process. */
  readonly durable: boolean;
  /** Connects and begins to tell the news about what `holder` holds; resolves when the backend has answered once. */
  start(listener: BackendListener, holder: string): Promise<void>;
  /** Whether readiness of a space is of interest: told to `listener.ready`. */
  watchSpace(space: Space, partition: number, wanted: boolean): void;
  /**
   * Entries of one space and partition, in one atomic step. `durable`: whether the durability asked for was reached.
   */
  publish(
    space: Space,
    partition: number,
    entries: readonly Entry[],
    durability: string,
  ): Promise<{ statuses: EntryStatus[]; durable: boolean }>;
  exchange(partition: number, request: ExchangeRequest): Promise<ExchangeReply>;
  /** Renews leases. @returns for each whether it is still held */
  extend(
    partition: number,
    space: Space,
    leases: readonly { conversation: string; fence: number }[],
    leaseMs: number,
  ): Promise<boolean[]>;
  /** Leases further messages. `have` is how many are held already. `undefined`: the lease was lost. */
  take(
    space: Space,
    lease: { conversation: string; fence: number; have: number; max: number },
  ): Promise<Body[] | undefined>;
  ticket(request: TicketRequest): Promise<TicketReply>;
  cancelTicket(conversation: string, ticket: string, holder: string): Promise<void>;
  unschedule(entry: { conversation: string; id: string; dedupKey: string }): Promise<boolean>;
  /** Inbound envelopes for later, soonest first within a part; `after` is a cursor of an earlier call, or empty. */
  scheduled(limit: number, after: string): Promise<{ entries: RawScheduled[]; cursor: string | undefined }>;
  /** Makes ready what waits for a retry, in every space. */
  retryNow(): Promise<number>;
  seedFence(conversation: string, fence: number): Promise<void>;
  /** From kept counts; ages are of about the first hundred in line. `gateways`: those whose spaces hold something. */
  stats(): Promise<{ inbound: RawStats; outbound: RawStats; dead: number; now: number; gateways: string[] }>;
  listDead(limit: number, before: string | undefined): Promise<RawDeadLetter[]>;
  getDead(id: string): Promise<RawDeadLetter | undefined>;
  /** Puts a dead letter back with this body, or lets a parked conversation go on. */
  replayDead(id: string, body: string): Promise<boolean>;
  discardDead(id: string): Promise<boolean>;
  close(): Promise<void>;
}
