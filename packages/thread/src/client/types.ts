/** A value of JSON. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A part of a message as the server keeps it. `kind` says what else it has. */
export interface Part {
  kind: string;
  text?: string;
  [member: string]: unknown;
}

/** One message of a conversation. */
export interface Message {
  id: string;
  role: string;
  parts: Part[];
  /** `sending`: not yet taken by the server; `streaming`: the answer is coming. */
  status: "sending" | "streaming" | "waiting" | "done" | "failed" | "cancelled";
  /** Its place in the conversation; none before the server has taken it. */
  seq?: number;
  executionId?: string;
}

/** A question that a person is to answer. */
export interface Approval {
  id: string;
  threadKey: string;
  executionId: string;
  status: string;
  asks: "consent" | "outcome";
  call: { callId: string; name: string; input: unknown; effect: string } | null;
  reason: string | null;
  expiresAt: number | null;
  createdAt: number;
}

/** What is known of a conversation. A new object whenever something in it changes. */
export interface Snapshot {
  messages: readonly Message[];
  /** `offline`: the server cannot be reached; messages wait. */
  status: "idle" | "loading" | "running" | "waiting" | "offline" | "failed";
  approvals: readonly Pick<Approval, "id" | "reason">[];
  error?: { code: string; message: string };
}

/** An event of the server, as far as the reducer reads it. */
export interface ThreadEvent {
  type: string;
  seq?: number;
  executionId?: string | null;
  stepId?: string;
  partIndex?: number;
  data: { [member: string]: unknown };
}

/** An item of the history, as the server sends it. */
export interface Item {
  id: string;
  seq: number;
  kind: string;
  role: string;
  status: string;
  executionId: string | null;
  parts: Part[];
  metadata: { [member: string]: unknown };
}

/** A conversation of a listing. */
export interface ListedThread {
  key: string;
  id: string;
  name: string | null;
  status: string;
  createdAt: number;
  updatedAt: number;
}
