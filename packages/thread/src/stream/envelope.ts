import type { JsonObject, JsonValue } from "@hebra/core";

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
  /** The part of a turn that one process runs without a break; events of another one follow after a `step-reset`. */
  run: string;
  /** The fence of the lease under which the run is: events of a lower one are stale. */
  fence: number;
  /** Counts the events of the run inside this step, from 0. */
  index: number;
  /** The last durable event of the context before this one. */
  afterSeq: number;
}

/** An event as the engine makes it and stores keep it. */
export type AnyEvent = DurableEvent | LiveEvent;

/** What events of a type tell. Further members may be added. */
export interface EventData {
  "item-created": { itemId: string; kind: string; role: string; channel: string; status: string };
  "item-changed": { itemId: string; status: string };
  "execution-started": { triggerId: string; triggerItemId: string; reactionItemId: string; definition: string };
  "execution-waiting": { approvals: { approvalId: string; callId: string; name: string; reason: string | null }[] };
  "execution-ended": { status: string; reason: string };
  "step-started": { iteration: number; attempt: number };
  "step-ended": { iteration: number; status: string };
  "part-created": { partId: string; itemId: string; index: number; part: JsonObject };
  "call-requested": { callId: string; name: string; partId: string };
  "call-changed": {
    callId: string;
    name: string;
    status: string;
    attempt: number;
    output: JsonValue;
    error: JsonValue;
  };
  "approval-requested": { approvalId: string; callId: string; name: string; reason: string | null };
  "approval-changed": { approvalId: string; callId: string; status: string };
  /** `part` of one that comes whole; of an action, its call without a result. */
  "part-started": { kind: "text" | "reasoning" | "file" | "source" | "data" | "action"; part?: JsonObject };
  "part-delta": { delta: string };
  "call-started": { callId: string; name: string; attempt: number };
  "call-progress": { callId: string; progress: JsonValue };
  "call-settled": { callId: string; status: string };
}

type Told<Type extends string> = {
  type: Type;
  data: JsonObject & (Type extends keyof EventData ? EventData[Type] : object);
};

/** One event of a thread's stream: its `type` tells what is in `data`. */
export type ThreadEvent =
  | { [Type in DurableEventType]: Omit<DurableEvent, "type" | "data"> & Told<Type> }[DurableEventType]
  | { [Type in LiveEventType]: Omit<LiveEvent, "type" | "data"> & Told<Type> }[LiveEventType];

/** Whether an event is kept in the journal. */
export function isDurable<Event extends AnyEvent>(event: Event): event is Extract<Event, { seq: number }> {
  return "seq" in event;
}
