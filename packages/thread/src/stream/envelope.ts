import type { JsonObject } from "@hebra/core";

/** The version of the event envelope that this build writes. */
export const ENVELOPE_VERSION = 1;

/** Every durable event: written in the same transaction as the rows that it tells of. */
export type DurableEventType =
  | "context-created"
  | "context-changed"
  | "item-created"
  | "item-changed"
  | "execution-started"
  | "execution-waiting"
  | "execution-resumed"
  | "execution-ended"
  | "step-started"
  | "step-ended"
  | "part-created"
  | "call-requested"
  | "call-changed"
  | "approval-requested"
  | "approval-changed";

/** What happens between two commits; seen by those who listen, not kept. */
export type LiveEventType =
  | "part-started"
  | "part-delta"
  | "part-ended"
  | "call-started"
  | "call-progress"
  | "call-settled"
  | "step-reset"
  /** The last event of a reader that this process cannot go on reading for: the engine or its store was closed. */
  | "stream-closed";

/** What every event of a stream carries. */
interface Envelope {
  v: typeof ENVELOPE_VERSION;
  /** Milliseconds since the epoch. */
  at: number;
  tenant: string;
  contextId: string;
  executionId: string | null;
  stepId?: string;
  data: JsonObject;
}

/** An event that a reader sees exactly once, in the order of `seq`. */
export interface DurableEvent extends Envelope {
  seq: number;
  type: DurableEventType;
}

/** A part of an open step. On reconnect it comes again from the live tail, or the step is reset. */
export interface LiveEvent extends Envelope {
  type: LiveEventType;
  stepId: string;
  attempt: number;
  /** The part's place inside the item; -1 for events of the whole step. */
  partIndex: number;
  /** Counts the events of this attempt of the step. */
  index: number;
}

/** One event of a thread's stream. */
export type ThreadEvent = DurableEvent | LiveEvent;

/** Whether an event is kept in the journal. */
export function isDurable(event: ThreadEvent): event is DurableEvent {
  return "seq" in event;
}
