import type { DurableEvent } from "../stream/envelope.ts";
import type {
  ApprovalRow,
  CallRow,
  CancelRequest,
  ContextRow,
  ExecutionRow,
  ItemRow,
  OutboxRow,
  PartRow,
  StepRow,
  ThreadRow,
  TriggerRow,
} from "./rows.ts";
import {
  approvalStates,
  callStates,
  contextStates,
  executionStates,
  itemStates,
  outboxStates,
  stepStates,
} from "./states.ts";
import { table, type Table } from "./table.ts";

/** A context with what only the store knows of it. */
export interface StoredContext extends ContextRow {
  /** The digest of the bundle that an import wrote; null once anything else has written to the context. */
  importDigest: string | null;
}

/** An execution as it is kept. */
export type StoredExecution = ExecutionRow & CancelRequest;

/** The durable events of one write, under the sequence number of the last. */
export interface JournalRow {
  v: number;
  contextId: string;
  lastSeq: number;
  events: DurableEvent[];
}

const stamps = { createdAt: "int", updatedAt: "int", provenance: "json?" } as const;

/**
 * Begins with the id: while a table is small, an index that begins with the tenant costs a planner the same as the one
 * that has every key, and a plan that takes it looks through the whole tenant ever after.
 */
const idFirst = { indexed: { name: "id_first", fields: ["id", "tenant"] }, since: 2 };

export const threads: Table<ThreadRow> = table<ThreadRow>(
  "thread_threads",
  { v: "int", id: "id", key: "id", name: "text?", mainContextId: "id", ...stamps },
  {
    key: ["id"],
    accesses: {
      byKey: { by: ["tenant", "key"], unique: true },
      recent: { by: ["tenant"], order: ["updatedAt", "id"] },
    },
  },
);

export const contexts: Table<StoredContext> = table<StoredContext>(
  "thread_contexts",
  {
    v: "int",
    id: "id",
    threadId: "id",
    status: "text",
    state: "json?",
    stateVersion: "int",
    seq: "int",
    inboxSeq: "int",
    fence: "int",
    currentExecutionId: "id?",
    parentContextId: "id?",
    parentSeq: "int?",
    sessions: "json",
    importing: "bool",
    importDigest: "text?",
    ...stamps,
  },
  {
    key: ["id"],
    among: { status: contextStates },
    hidden: ["importDigest"],
    accesses: {
      all: { by: [], order: ["tenant", "id"], index: false },
      ofTenant: { by: ["tenant"], order: ["id"], index: false },
      ofThread: { by: ["tenant", "threadId"], order: ["id"], since: 2 },
    },
  },
);

export const items: Table<ItemRow> = table<ItemRow>(
  "thread_items",
  {
    v: "int",
    id: "id",
    threadId: "id",
    contextId: "id",
    executionId: "id?",
    seq: "int?",
    kind: "text",
    role: "text",
    channel: "text",
    status: "text",
    content: "json",
    metadata: "json",
    ...stamps,
  },
  {
    key: ["contextId", "id"],
    among: { status: itemStates, kind: { trigger: 1, reaction: 1, summary: 1, note: 1 } },
    accesses: {
      ofContext: { by: ["tenant", "contextId"], order: ["id"], index: false },
      inOrder: {
        by: ["tenant", "contextId"],
        order: ["seq"],
        unique: true,
        only: [
          { field: "seq", set: true },
          { field: "kind", not: "summary" },
        ],
      },
      summaries: {
        by: ["tenant", "contextId"],
        order: ["seq"],
        unique: true,
        only: [{ field: "kind", in: ["summary"] }],
      },
      ofExecution: { by: ["tenant", "executionId"], order: ["seq"] },
    },
  },
);

export const executions: Table<StoredExecution> = table<StoredExecution>(
  "thread_executions",
  {
    v: "int",
    id: "id",
    threadId: "id",
    contextId: "id",
    triggerId: "id",
    triggerItemId: "id",
    reactionItemId: "id",
    definition: "text",
    definitionVersion: "int",
    status: "text",
    outcome: "text?",
    error: "json?",
    usage: "json",
    output: "json?",
    attempt: "int",
    inboxSeq: "int?",
    correlation: "json",
    startedAt: "int?",
    endedAt: "int?",
    cancelRequestedAt: "int?",
    cancelRequest: "json?",
    ...stamps,
    wakeAt: "int?",
  },
  {
    key: ["contextId", "id"],
    among: { status: executionStates },
    keep: ["cancelRequestedAt", "cancelRequest"],
    accesses: {
      ofContext: { by: ["tenant", "contextId"], order: ["id"], index: false },
      byId: { by: ["tenant", "id"], unique: true, ...idFirst },
      queue: { by: ["tenant", "contextId"], order: ["inboxSeq", "id"], only: [{ field: "status", in: ["queued"] }] },
      // By a column that never changes. An index on one that every commit changes gets an entry with every commit.
      queuedSince: {
        by: [],
        order: ["createdAt", "tenant", "id"],
        only: [{ field: "status", in: ["queued"] }],
        since: 2,
      },
      runningSince: {
        by: [],
        order: ["createdAt", "tenant", "id"],
        only: [{ field: "status", in: ["running"] }],
        since: 2,
      },
      due: {
        by: [],
        order: ["wakeAt", "tenant", "id"],
        only: [
          { field: "status", in: ["waiting"] },
          { field: "wakeAt", set: true },
        ],
      },
    },
    retired: {
      byId: { by: ["tenant", "id"], unique: true, until: 2 },
      queued: { order: ["updatedAt", "tenant", "id"], only: [{ field: "status", in: ["queued"] }], until: 2 },
      running: { order: ["updatedAt", "tenant", "id"], only: [{ field: "status", in: ["running"] }], until: 2 },
    },
    fill: { percent: 60, since: 2 },
  },
);

export const steps: Table<StepRow> = table<StepRow>(
  "thread_steps",
  {
    v: "int",
    id: "id",
    contextId: "id",
    executionId: "id",
    iteration: "int",
    status: "text",
    attempt: "int",
    usage: "json?",
    finishReason: "text?",
    error: "json?",
    ...stamps,
  },
  {
    key: ["executionId", "id"],
    among: { status: stepStates },
    accesses: { ofExecution: { by: ["tenant", "executionId"], order: ["id"], index: false } },
  },
);

export const parts: Table<PartRow> = table<PartRow>(
  "thread_parts",
  {
    v: "int",
    id: "id",
    contextId: "id",
    executionId: "id?",
    stepId: "id?",
    itemId: "id",
    index: "int",
    kind: "text",
    content: "json",
    ...stamps,
  },
  { key: ["itemId", "id"], accesses: { ofItem: { by: ["tenant", "itemId"], order: ["id"], index: false } } },
);

export const calls: Table<CallRow> = table<CallRow>(
  "thread_action_calls",
  {
    v: "int",
    id: "id",
    contextId: "id",
    executionId: "id",
    stepId: "id",
    callId: "text",
    partId: "id",
    index: "int",
    name: "text",
    input: "json?",
    effect: "text",
    status: "text",
    output: "json?",
    error: "json?",
    idempotencyKey: "text",
    attempt: "int",
    ...stamps,
  },
  {
    key: ["executionId", "id"],
    among: { status: callStates, effect: { read: 1, idempotent: 1, write: 1 } },
    accesses: { ofExecution: { by: ["tenant", "executionId"], order: ["id"], index: false } },
  },
);

export const approvals: Table<ApprovalRow> = table<ApprovalRow>(
  "thread_approvals",
  {
    v: "int",
    id: "id",
    contextId: "id",
    executionId: "id",
    callRowId: "id",
    status: "text",
    reason: "json?",
    expiresAt: "int?",
    decidedAt: "int?",
    decidedBy: "json?",
    comment: "json?",
    editedInput: "json?",
    ...stamps,
  },
  {
    key: ["executionId", "id"],
    among: { status: approvalStates },
    until: { field: "status", is: "pending" },
    accesses: {
      ofExecution: { by: ["tenant", "executionId"], order: ["id"], index: false },
      byId: { by: ["tenant", "id"], unique: true, ...idFirst },
    },
    retired: { byId: { by: ["tenant", "id"], unique: true, until: 2 } },
  },
);

export const outbox: Table<OutboxRow> = table<OutboxRow>(
  "thread_outbox",
  { v: "int", id: "id", contextId: "id", executionId: "id", index: "int", payload: "json?", status: "text", ...stamps },
  {
    key: ["contextId", "id"],
    among: { status: outboxStates },
    accesses: {
      ofContext: { by: ["tenant", "contextId"], order: ["id"], index: false },
      pending: {
        by: ["tenant", "contextId"],
        order: ["createdAt", "index", "id"],
        only: [{ field: "status", in: ["pending"] }],
      },
      late: { by: [], order: ["createdAt", "tenant", "id"], only: [{ field: "status", in: ["pending"] }] },
    },
  },
);

export const journal: Table<JournalRow> = table<JournalRow>(
  "thread_journal",
  { v: "int", contextId: "id", lastSeq: "int", events: "json" },
  {
    key: ["contextId", "lastSeq"],
    accesses: { after: { by: ["tenant", "contextId"], order: ["lastSeq"], index: false } },
  },
);

export const triggers: Table<TriggerRow> = table<TriggerRow>(
  "thread_triggers",
  { v: "int", contextId: "id", triggerId: "id", digest: "text", executionId: "id", createdAt: "int" },
  {
    key: ["contextId", "triggerId"],
    accesses: { ofContext: { by: ["tenant", "contextId"], order: ["triggerId"], index: false } },
  },
);

/** The lease of one key: who holds it, and who waits. */
export interface LeaseRow {
  v: number;
  key: string;
  holder: string | null;
  /** Milliseconds since the epoch, by the database's clock. */
  until: number;
  /** The last fence that was given. */
  fence: number;
  /** Those who wait, in order, each with the time until which it counts as alive. */
  line: { token: string; until: number }[];
  /** Goes up with every change, so that a change can depend on nobody having made another. */
  revision: number;
}

export const leases: Table<LeaseRow> = table<LeaseRow>(
  "thread_leases",
  { v: "int", key: "id", holder: "text?", until: "int", fence: "int", line: "json", revision: "int" },
  { key: ["key"] },
);

/** Every table. */
export const tables = {
  leases,
  threads,
  contexts,
  items,
  executions,
  steps,
  parts,
  calls,
  approvals,
  outbox,
  journal,
  triggers,
} as const;
