import type { Clock, JsonObject, Logger } from "@hebra/core";
import type { Trigger } from "../engine/trigger.ts";
import type { ReplyPiece } from "./reply-pieces.ts";
import type { PendingApproval } from "./pending-approval.ts";

/** What reached a channel. */
export interface ChannelMessage {
  /** The channel's own id of the message: the same at every delivery. Unique in its chat. */
  id: string;
  /** The chat as the channel knows it. */
  chat: string;
  /** Short for one text part. */
  text?: string;
  /**
   * Pictures and files by reference: what a worker could not read from the gateway's disk must be a URL or a blob's
   * reference.
   */
  parts?: Trigger["parts"];
  sender?: { id: string; name?: string };
  /** Kept with the item; the same at every delivery. */
  metadata?: JsonObject;
  /** @defaultValue "default" */
  tenant?: string;
  /** The conversation, when it is not the chat. @defaultValue `<channel>:<chat>` */
  session?: string;
  /** The definition that is to answer. @defaultValue the runtime's only one, or what its `route` says */
  thread?: string;
  /** Cancels the turn that runs and goes next. @defaultValue false */
  interrupt?: boolean;
  /**
   * The run that the message belongs to, of a workflow for instance: on every span of its turn. @defaultValue none: the
   * turn is a run of its own
   */
  runId?: string;
}

/** What became of a message that a channel published. */
export interface Publication {
  /** `shed`: its conversation has too many messages waiting, and the bus drops new ones by its `overflow` policy. */
  status: "accepted" | "duplicate" | "shed";
  tenant: string;
  session: string;
  /** Whether it outlives this process. */
  durable: boolean;
}

/** What a channel is to send. */
export interface ChannelReply {
  /** Stable across deliveries: a channel that can, drops what it sent before. */
  id: string;
  tenant: string;
  session: string;
  chat: string;
  /** The id of the message that it answers. */
  inReplyTo: string;
  text: string;
  /** The turn behind it; none when an older engine answered. */
  executionId?: string;
  /** Its place among the replies of its turn, from 0. */
  index: number;
  /** `text` is one part of an answer that is larger than a message of the bus. @defaultValue it is all of it */
  piece?: ReplyPiece;
  /** The turn failed, and `text` says so: this is the code. */
  failure?: string;
}

/** A reply as far as it has grown. Never kept, never repeated: the reply follows. */
export interface ChannelDelta {
  tenant: string;
  session: string;
  chat: string;
  inReplyTo: string;
  executionId: string;
  /** Counts the deltas of a turn, from 0. */
  index: number;
  /** The whole text of the present step so far. */
  text: string;
}

/** A turn waits for a person, and its reply comes when it was decided. */
export interface ChannelWaiting {
  tenant: string;
  session: string;
  chat: string;
  /** The message whose answer waits. */
  inReplyTo: string;
  /** The turn that waits: the message's own, or the one before it in line. */
  executionId: string;
  approvals: readonly PendingApproval[];
}

/** What the other side says, later, about a reply that it was given. */
export interface ReplyStatus {
  chat: string;
  /** The other side's own id of what was sent. */
  messageId: string;
  /** {@link ChannelReply.id}, where the channel can tell. */
  replyId?: string;
  status: "sent" | "delivered" | "read" | "failed";
  /** Milliseconds since the epoch, by the other side's clock. */
  at: number;
  /** Why it failed, in the other side's words. */
  reason?: string;
}

/**
 * Says where a message belongs when that is not its channel's chat in the default tenant. The same at every delivery of
 * the message.
 */
export type Locate = (message: ChannelMessage) => Partial<Pick<ChannelMessage, "tenant" | "session" | "thread">>;

/** What a gateway gives the channels that it starts. */
export interface ChannelContext {
  gatewayId: string;
  /**
   * Hands a message over. A channel acknowledges to its own side only after this returned.
   *
   * @throws HebraError `UNREACHABLE`, `BACKLOG_FULL`, `CLOSED`, `ENVELOPE_TOO_LARGE`, `NOT_SERIALIZABLE`, `INVALID_ID`,
   * `DEFINITION_MISSING`
   */
  publish(message: ChannelMessage): Promise<Publication>;
  /**
   * Tells what became of a reply on the other side: counted, logged, and told to the gateway's `onReplyStatus`. Never
   * throws.
   */
  report(status: ReplyStatus): void;
  clock: Clock;
  logger: Logger;
}

/** Where messages come from and replies go to. Locking, order and retries are none of its business. */
export interface Channel {
  /** Unique in its gateway, and the first part of its sessions. */
  readonly name: string;
  start(context: ChannelContext): Promise<void>;
  /** Takes on no more messages. Replies are sent until the gateway has stopped. */
  stop(): Promise<void>;
  /**
   * Sends a reply; resolves when the other side has it. A reply may come twice.
   *
   * A channel that does not know whether the other side has it, as the connection was lost or the time ran out after
   * the
   * request had left, throws an error with `details: { outcome: "unknown" }`: `UNREACHABLE`, or `TIMEOUT`. It is
   * counted as
   * `unknown`, and sent again under the same id: at least once, and twice where the other side tells no ids apart.
   *
   * @throws A HebraError that is not `retryable` makes the reply a dead letter. Anything else is tried again, after
   * `details.retryAfterMs` when the other side said when.
   */
  send(reply: ChannelReply): Promise<void>;
  /** Says that an answer waits for a person, and by what it is decided. A channel without it says nothing. */
  sendWaiting?(waiting: ChannelWaiting): Promise<void>;
  /** Shows a growing reply. A channel without it gets replies only. */
  sendDelta?(delta: ChannelDelta): Promise<void>;
}
