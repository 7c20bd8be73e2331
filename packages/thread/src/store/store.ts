import type { JsonValue } from "@hebra/core";
import type { DurableEvent } from "../stream/envelope.ts";
import type { LeasePort } from "./leases.ts";
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
import type { ContextStatus } from "./states.ts";

/** How an application names a thread: by its own key, by the thread's id, or a fork by its context id. */
export type ThreadRef = { key: string } | { id: string } | { contextId: string };

/** What entitles a holder to write. Correctness rests on this, not on a clock or a lock. */
export interface Guard {
  /** The holder's fencing token. Older than the last registered: `STALE_FENCE`. Equal or newer: registered. */
  fence: number;
  /** The sequence number that the holder believes to be the last. Another: `VERSION_CONFLICT`. */
  expectedSeq: number;
  /**
   * When given, the inbox sequence number that the holder has folded in. Another: `VERSION_CONFLICT` with
   * `details.inbox`.
   */
  expectedInboxSeq?: number;
}

/** The columns of a context that a holder may change. Those left out stay as they are. */
export type ContextPatch = Partial<
  Pick<ContextRow, "status" | "state" | "stateVersion" | "currentExecutionId" | "sessions">
> & { updatedAt: number };

/**
 * What one holder write changes. Rows are whole: each replaces the row of its id or becomes it. Everything lands
 * together
 * or not at all. `events` carry the sequence numbers from `expectedSeq + 1` on, without a gap; the context's `seq`
 * becomes the last.
 */
export interface Changes {
  context: ContextPatch;
  items?: readonly ItemRow[];
  /**
   * One that is left waiting says in `wakeAt` when to look at it, which counts only with `expectedInboxSeq`: without,
   * it is due at once.
   */
  executions?: readonly ExecutionRow[];
  steps?: readonly StepRow[];
  parts?: readonly PartRow[];
  calls?: readonly CallRow[];
  /** New ones, and ones that the holder closes (`expired`, `cancelled`); decisions come through the inbox. */
  approvals?: readonly ApprovalRow[];
  outbox?: readonly OutboxRow[];
  /** Of turns that another engine has run, so that a second delivery of what began them is known. */
  triggers?: readonly TriggerRow[];
  /** Ids of outbox rows that were handed over since the last write. */
  handedOver?: readonly string[];
  events: readonly DurableEvent[];
}

/**
 * The beginning of a turn. With a guard it is a holder write and the execution runs; without, an inbox write and it is
 * queued.
 */
export interface Begin {
  /** Become the thread and the context when there are none yet; otherwise only their ids count. */
  thread: ThreadRow;
  context: ContextRow;
  trigger: TriggerRow;
  execution: ExecutionRow;
  /** With a guard: trigger and reaction, with `seq`. Without: the trigger alone, `seq` null. */
  items: readonly ItemRow[];
  /** Only with a guard. */
  steps?: readonly StepRow[];
  /** Only with a guard: what else changes in the context. */
  patch?: ContextPatch;
  /** Only with a guard; as in {@link Changes}. */
  events?: readonly DurableEvent[];
  guard?: Guard;
  /**
   * Only without a guard: the execution that is to hear the trigger. While it is queued, running or waiting the trigger
   * becomes one more of its items, `seq` null, for its holder to fold in; once it has ended or its cancellation was
   * requested, the trigger is queued as usual.
   */
  attachTo?: string;
}

/** What `begin` did. */
export interface Begun {
  /** The trigger was known: nothing was written, and `execution` is the one that it made. */
  duplicate: boolean;
  /** The trigger was attached to `execution`, which another trigger had begun. */
  attached: boolean;
  execution: ExecutionRow;
  seq: number;
  inboxSeq: number;
}

/** What a holder write left behind. */
export interface Committed {
  seq: number;
  /** Greater than the holder's last: something waits in the inbox. */
  inboxSeq: number;
}

/** An execution with all that belongs to it. */
export interface ExecutionGraph {
  execution: ExecutionRow & CancelRequest;
  /** Its trigger and reaction. */
  items: ItemRow[];
  /** By iteration. */
  steps: StepRow[];
  /** By index. */
  parts: PartRow[];
  /** By step, then index. */
  calls: CallRow[];
  approvals: ApprovalRow[];
}

/** A turn that waits to run. */
export interface QueuedExecution {
  execution: ExecutionRow & CancelRequest;
  trigger: ItemRow;
  /** Further triggers that it is to hear, in order of arrival. */
  attached: ItemRow[];
}

/** A context as a holder needs it. Its size does not depend on the length of the history. */
export interface Snapshot {
  thread: ThreadRow;
  context: ContextRow;
  /** The execution that runs or waits, if any. */
  active: ExecutionGraph | undefined;
  /** In order of arrival. */
  queued: QueuedExecution[];
  /** Outbox rows not yet handed over. */
  outbox: OutboxRow[];
}

/** Which part of a history to read. */
export interface HistoryWindow {
  /**
   * At most so many items, counted from the newest; a turn is never cut, so there may be fewer. The newest summary
   * comes on top.
   */
  items: number;
  /** Only items up to this sequence number. */
  upToSeq?: number;
}

/**
 * One page of a history, for those who read it from end to end: items between two sequence numbers, cut anywhere.
 * Summaries are left out.
 */
export interface HistoryPage {
  /** At most so many items: the newest before `before`; with `after` alone, the oldest after it. */
  limit: number;
  /** Only items before this sequence number. The first item's of a page gives the page before it. */
  before?: number | undefined;
  /** Only items after this sequence number. The last item's of a page gives the page after it. */
  after?: number | undefined;
}

/** An item with its parts. */
export interface HistoryEntry {
  item: ItemRow;
  parts: PartRow[];
}

/** A page of a listing. */
export interface Page<T> {
  rows: T[];
  /** Pass it to get the next page; `undefined` at the end. */
  cursor: string | undefined;
}

/** Which threads to list. */
export interface ListOptions {
  /** @defaultValue 50 */
  limit?: number;
  /** From the page before. */
  cursor?: string;
  keyPrefix?: string;
  /** Only those whose main context has this status. */
  status?: ContextStatus;
  /** Only those whose newest turn is of this definition. */
  definition?: string;
  /** Only those whose key or name contains this, in any case of letters. */
  q?: string;
}

/** A thread in a listing. */
export interface ListedThread extends ThreadRow {
  /** Of its main context. */
  status: ContextStatus;
}

/** The receipt of a deletion. */
export interface Deleted {
  threadId: string;
  key: string;
  /** The main context and every fork. */
  contextIds: string[];
  /** Rows that are gone, by table: `items`, `journal`, `outbox`, and so on. */
  counts: Record<string, number>;
}

/** A thread's state document, and of which version of its definition's `state` it is. */
export type StateDocument = Pick<ContextRow, "state" | "stateVersion">;

/** A person's decision about a call. */
export type Decision = { decision: "approved"; editedInput?: JsonValue } | { decision: "denied" };

/** One context, whole: what is imported, exported and compared. */
export interface ContextBundle {
  thread: ThreadRow;
  context: ContextRow;
  items: ItemRow[];
  executions: (ExecutionRow & Partial<CancelRequest>)[];
  steps: StepRow[];
  parts: PartRow[];
  calls: CallRow[];
  approvals?: ApprovalRow[];
  outbox?: OutboxRow[];
  triggers?: TriggerRow[];
  journal?: DurableEvent[];
}

/** What an import did. */
export interface Imported {
  /** False when the context was there already, row for row. */
  changed: boolean;
  /** Rows by table. */
  counts: Record<string, number>;
  /** {@link bundleDigest} of what is now in the store. */
  digest: string;
}

/** An execution that may have lost its worker: the caller must take the lease to find out. */
export interface SweepCandidate {
  tenant: string;
  threadId: string;
  threadKey: string;
  contextId: string;
  executionId: string;
  status: "queued" | "running" | "waiting";
  definition: string;
  updatedAt: number;
}

/** Verbs across tenants, for operators, workers and backups; never for a request's path. */
export interface SystemStore {
  /**
   * Lists executions that are running and untouched since `before` (milliseconds since the epoch), and queued ones with
   * no
   * turn before them. `waiting` is never one, nor is anything in a closed context.
   *
   * @param options - `limit`: how many at most. @defaultValue 100; `definitions`: only theirs. @defaultValue all
   */
  sweep(options: { before: number; limit?: number; definitions?: readonly string[] }): Promise<SweepCandidate[]>;
  /**
   * Lists waiting executions that have something to go on with: a decision or a cancellation that no holder has folded
   * in,
   * or an approval that has expired by `now` (milliseconds since the epoch). Whoever left it there may have died before
   * it woke anybody.
   *
   * @param options - `limit` and `definitions` as for `sweep`
   */
  due(options: { now: number; limit?: number; definitions?: readonly string[] }): Promise<SweepCandidate[]>;
  /** Outbox rows that were not handed over and are older than `before`. */
  outbox(options: { before: number; limit?: number }): Promise<{ tenant: string; row: OutboxRow }[]>;
  /** Every context, whole, by tenant and id; `after` resumes. */
  export(options?: {
    tenant?: string;
    after?: { tenant: string; contextId: string };
  }): AsyncIterable<{ tenant: string; bundle: ContextBundle }>;
  tenants(): Promise<string[]>;
}

/**
 * Where threads live. Every verb takes the tenant first and can neither read nor write another's rows.
 *
 * *Holder writes* (`begin` with a guard, `commit`, `takeOver`) come from the one process that holds the thread's lease;
 * they are
 * fenced, and they alone advance `seq`. *Inbox writes* (`begin` without a guard, `decideApproval`, `requestCancel`)
 * come from
 * anywhere, are idempotent by id, and advance `inboxSeq` alone.
 *
 * The meaning of each verb is the contract of `@hebra/thread/testing`.
 */
export interface ThreadStore {
  /** Low-cardinality name for telemetry, e.g. `sqlite`. */
  readonly name: string;
  /** Whether several processes, or several hosts, may use it at once. */
  readonly scope: "process" | "host" | "shared";

  /**
   * @throws HebraError `TRIGGER_MISMATCH`, `STALE_FENCE`, `VERSION_CONFLICT`, `CONTEXT_MIGRATING`, `CONTEXT_CLOSED`,
   * `INVALID_ID`, `NOT_SERIALIZABLE`
   */
  begin(tenant: string, begin: Begin): Promise<Begun>;
  /**
   * A closed context stays closed: a patch without `status` lands, one with it is refused.
   *
   * @throws HebraError `STALE_FENCE`, `VERSION_CONFLICT`, `CONTEXT_NOT_FOUND`, `CONTEXT_MIGRATING`, `CONTEXT_CLOSED`,
   * `INVALID_ID` for a row of another context, `NOT_SERIALIZABLE`
   */
  commit(tenant: string, contextId: string, guard: Guard, changes: Changes): Promise<Committed>;
  /**
   * Registers a fence before anything else is done with the context. @throws HebraError `STALE_FENCE`,
   * `CONTEXT_NOT_FOUND`, `CONTEXT_MIGRATING`
   */
  takeOver(tenant: string, contextId: string, fence: number): Promise<Snapshot>;

  /**
   * Does nothing to an execution that has ended, or was asked before. One with `joined` adds to an earlier one without.
   *
   * @throws HebraError `EXECUTION_NOT_FOUND`
   */
  requestCancel(
    tenant: string,
    executionId: string,
    request: { by?: string; reason?: string; joined?: boolean; at: number },
  ): Promise<void>;
  /**
   * The same decision again is no error. @throws HebraError `APPROVAL_NOT_FOUND`, `APPROVAL_DECIDED`,
   * `APPROVAL_EXPIRED`
   */
  decideApproval(
    tenant: string,
    approvalId: string,
    decision: Decision & { by?: string; comment?: string; at: number },
  ): Promise<ApprovalRow>;
  /**
   * Calls back soon after an inbox write to the context, by any process. May call back for nothing. @returns stops
   * watching
   */
  watch(tenant: string, contextId: string, onInbox: () => void): () => void;

  load(tenant: string, ref: ThreadRef): Promise<Snapshot | undefined>;
  execution(tenant: string, executionId: string): Promise<ExecutionGraph | undefined>;
  /**
   * Items with a place in the order, oldest first, across the shared part of a fork. Summaries do not count against the
   * window; only the newest is given, in its place. A {@link HistoryPage} reads on from a sequence number instead,
   * either way, and is empty at the end.
   */
  history(tenant: string, contextId: string, window: HistoryWindow | HistoryPage): Promise<HistoryEntry[]>;
  /**
   * Durable events after a sequence number, in order. A fork's begin after what it shares; that is in its parent's
   * journal.
   */
  journal(tenant: string, contextId: string, afterSeq: number, limit?: number): Promise<DurableEvent[]>;
  /**
   * The state document as it was at an item of a context's own or shared history: at a reaction, after all that its
   * turn
   * changed; at another item, when it came. Read off the journal: of what was before the journal began, it is what the
   * journal's first change found.
   *
   * @throws HebraError `ITEM_NOT_FOUND`, `CONTEXT_NOT_FOUND`
   */
  stateAt(tenant: string, contextId: string, itemId: string): Promise<StateDocument>;
  approval(tenant: string, approvalId: string): Promise<ApprovalRow | undefined>;
  /**
   * Threads, newest change first. Under a filter that few pass, a page may have fewer rows than its limit, or none, and
   * a cursor all the same.
   *
   * @throws HebraError `INVALID_OPTIONS` for a cursor that is none, or a limit below 1
   */
  list(tenant: string, options?: ListOptions): Promise<Page<ListedThread>>;

  /**
   * Adds a context that shares the history of another up to and including an item. Idempotent by the new context's id.
   * @throws HebraError `ITEM_NOT_FOUND`, `CONTEXT_NOT_FOUND`
   */
  fork(tenant: string, fork: { from: string; atItemId: string; context: ContextRow }): Promise<ContextRow>;
  /**
   * Deletes a thread for good: its row, every context with all of its rows, journal and outbox, and what leads to them.
   * It asks for no fence: a holder is told through `watch`, and its next write fails with `CONTEXT_NOT_FOUND`. Leases
   * stay, so that fences still grow
   * when the address is used again.
   *
   * @returns what was deleted, or `undefined` when there is no such thread
   */
  deleteThread(tenant: string, ref: ThreadRef): Promise<Deleted | undefined>;
  /** `closed` ⇄ `open`. @throws HebraError `ILLEGAL_TRANSITION`, `CONTEXT_NOT_FOUND` */
  setClosed(tenant: string, contextId: string, closed: boolean, at: number): Promise<void>;

  /** Reserves an address for an import. Does nothing when the context is there already. */
  announceImport(tenant: string, thread: ThreadRow, context: ContextRow): Promise<void>;
  /**
   * Writes a context whole, in one transaction; rows of an older version are brought up to this build's. The same
   * bundle again changes nothing. @throws HebraError `IMPORT_CONFLICT` when the context holds rows that no import wrote
   */
  import(tenant: string, bundle: ContextBundle): Promise<Imported>;
  /**
   * One context, whole. @throws HebraError `SCHEMA_TOO_NEW` when a newer build has kept more in its rows than this one
   * knows
   */
  export(tenant: string, contextId: string): Promise<ContextBundle | undefined>;

  system(): SystemStore;
  /** Leases in the same database, for `storeLocks`. Left out where there are none. */
  readonly leases?: LeasePort;
  close(): Promise<void>;
}
