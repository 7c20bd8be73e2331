import type { Channel, Locate } from "../channel.ts";

/** Something that somebody says on the other side of a channel. */
export interface Said {
  id: string;
  chat: string;
  text: string;
  /** A picture or a file goes with it, by this reference of the other side. */
  media?: string;
}

/** Something that reached the other side. */
export interface Heard {
  chat: string;
  text: string;
  /** The reply's id, where the channel can carry it. */
  replyId?: string;
}

/**
 * What the other side answers to the next reply: come back later, never, or nothing: it takes it and closes the
 * connection.
 */
export type Refusal = { retryAfterMs: number } | { forGood: true } | { noAnswer: true };

/** A channel with the real other side that it speaks to, or one that speaks the same. Each clause gets a fresh one. */
export interface OtherSide {
  readonly channel: Channel;
  /**
   * Says something. Resolves when the channel has acknowledged it, or has said that it will never take it. Until then
   * the
   * other side behaves as in life: what it was told was not taken it delivers again, under the same id.
   */
  say(said: Said): Promise<void>;
  /** Resolves once so much has been heard, with all of it: what each person sees in the end, in order. */
  heard(count: number): Promise<readonly Heard[]>;
  /** Refuses the next reply, or leaves it unanswered. */
  refuseNext?(refusal: Refusal): void;
  close(): Promise<void>;
}

/** How channels are proved. */
export interface ChannelContractOptions {
  create(options: { locate?: Locate }): Promise<OtherSide>;
}
