/** A line of the event log that workers write, independent of bus and store. */
export type LogLine = AttemptLine | RefusalLine | AwakeLine;

/** One asking of the model begins or ends. */
export interface AttemptLine {
  event: "start" | "end";
  /** Process and count. */
  attempt: string;
  nonce: string;
  pid: number;
  at: number;
}

/** A write that the store refused because another holder had taken over. */
export interface RefusalLine {
  event: "refused";
  pid: number;
  at: number;
}

/**
 * A process noticed that it had stood still, since then. Before that it could not know that its conversations had
 * passed on.
 */
export interface AwakeLine {
  event: "awake";
  pid: number;
  since: number;
  at: number;
}

/** Milliseconds of a clock that never jumps and is the same for all processes of a host. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** `<phase>/<chat>/<n>`: names a message. */
export const nonceOf = (phase: string, chat: string | number, n: number): string => `${phase}/${chat}/${n}`;

/** When a process was not there: stopped, or dead from then on. It ends when the process notices. */
export interface Absence {
  pid: number;
  from: number;
  to: number;
}

/** A reply as the channel got it. */
export interface Received {
  session: string;
  /** The id of the message that it answers. */
  inReplyTo: string;
  text: string;
  at: number;
}

/** A message as it was published. */
export interface SentMessage {
  id: string;
  nonce: string;
  /** When it was published first; absent when it never was. */
  at?: number;
}

/** A conversation as its user had it: the messages in order. */
export interface SentConversation {
  tenant: string;
  session: string;
  messages: SentMessage[];
}

/** What one phase found. */
export interface Findings {
  messages: number;
  /** Turns or replies that stand before one that came earlier. */
  orderViolations: number;
  /** Turns that began while another process worked on the conversation. */
  overlaps: number;
  /** Messages without a turn in the store, or without a reply at the channel. */
  lost: number;
  /** Turns that the store has twice. */
  doubleCommits: number;
  /** Turns or replies in a conversation that they do not belong to. */
  misdelivered: number;
  /** Messages that no worker has written down: what is said about their turns would rest on nothing. */
  unwitnessed: number;
  /** Replies that came again: at least once is what is promised. */
  repeatedReplies: number;
  /** Writes that the store refused because another holder had taken over. */
  refusedWrites: number;
  /** Some of what was found, in words. */
  examples: string[];
  /** Milliseconds from publication to reply less the handler's own time. */
  p50: number;
  p95: number;
  p99: number;
  max: number;
  /** The two ends of the same for 95 of 100: until the handler began, and from its end on. */
  p95Before: number;
  p95After: number;
}

/** What one phase did and found. */
export interface PhaseReport extends Findings {
  phase: string;
  ms: number;
  /** Everything was answered and settled in the end. */
  settled: boolean;
  note?: string;
}
