import type { JsonObject, JsonValue } from "@hebra/core";
import type { ActionPart, Role, TranscriptPart, Usage } from "@hebra/reactor";
import type {
  ApprovalStatus,
  CallStatus,
  ContextStatus,
  ExecutionStatus,
  ItemStatus,
  OutboxStatus,
  StepStatus,
} from "./states.ts";

/**
 * The schema version that this build writes on every row. Upcasters read older ones. Of a row of the next one, what
 * this
 * build knows is read, and what it does not know stays as it is when it writes; newer ones are refused.
 */
export const ROW_VERSION = 1;

/** Where an imported row came from. The engine's own rows have none. */
export interface Provenance {
  /** The importer, e.g. `story`. */
  source: string;
  /** The row's id there, or another reference. */
  id?: string;
  [key: string]: JsonValue | undefined;
}

/** Why something failed, as it is kept: never a stack, never a secret. */
export interface StoredError {
  code: string;
  message: string;
  retryable: boolean;
}

/** A durable conversation. */
export interface ThreadRow {
  v: number;
  id: string;
  /** The application's own name for it; unique in the tenant. */
  key: string;
  name: string | null;
  /** The context that a plain address means; forks are reached by their own id. */
  mainContextId: string;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** One line of a thread's history, with its typed state document. */
export interface ContextRow {
  v: number;
  id: string;
  threadId: string;
  status: ContextStatus;
  /** The document of the definition's `state` schema. */
  state: JsonValue;
  stateVersion: number;
  /** The last sequence number given in this context. Only holder writes advance it. */
  seq: number;
  /** The last inbox sequence number given. Only inbox writes advance it. */
  inboxSeq: number;
  /** The newest fence that a holder registered. */
  fence: number;
  /** The execution that runs or waits, if any. */
  currentExecutionId: string | null;
  /** For a fork: the context and the sequence number up to which its history is shared. */
  parentContextId: string | null;
  parentSeq: number | null;
  /** Each reactor's own memory of this context, by reactor name. */
  sessions: JsonObject;
  /** True from `announceImport` until its `import`: `begin` answers `CONTEXT_MIGRATING`. */
  importing: boolean;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** What an item is in its turn. `summary` stands for older items in a windowed history. */
export type ItemKind = "trigger" | "reaction" | "summary" | "note";

/** One visible input or output. */
export interface ItemRow {
  v: number;
  id: string;
  threadId: string;
  contextId: string;
  executionId: string | null;
  /** Its place in the context's order; null while its execution is queued. */
  seq: number | null;
  kind: ItemKind;
  role: Role;
  channel: string;
  status: ItemStatus;
  /**
   * What it holds. A running reaction's parts are in `parts` rows; those are its truth, also afterwards, so this stays
   * empty for reactions.
   */
  content: readonly TranscriptPart[];
  metadata: JsonObject;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** Sums of one execution. */
export interface ExecutionUsage extends Usage {
  /** Model answers. */
  steps: number;
  /** Action calls. */
  calls: number;
}

/** One turn. */
export interface ExecutionRow {
  v: number;
  id: string;
  threadId: string;
  contextId: string;
  /** The caller's id of the trigger; unique in the context. */
  triggerId: string;
  triggerItemId: string;
  reactionItemId: string;
  definition: string;
  definitionVersion: number;
  status: ExecutionStatus;
  /** Why it ended as it did: `stop`, `max-iterations`, `imported-unfinished`, … Null while it has not. */
  outcome: string | null;
  error: StoredError | null;
  usage: ExecutionUsage;
  /** The structured output, when the definition asks for one. */
  output: JsonValue;
  /** How many times a holder began or resumed it. */
  attempt: number;
  /** Its place among the queued; null when it never queued. */
  inboxSeq: number | null;
  /** Links this turn to what caused it: run ids, trace carriers. */
  correlation: JsonObject;
  /**
   * While it waits: when a holder must look at it again, in milliseconds since the epoch. The earliest expiry of an
   * approval, or 0 once somebody has decided or cancelled; null when only people can move it on, and while it does not
   * wait.
   */
  wakeAt: number | null;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  updatedAt: number;
  provenance: Provenance | null;
}

/** The columns of an execution that inbox writes own; a holder's write never touches them. */
export interface CancelRequest {
  cancelRequestedAt: number | null;
  /** `joined`: messages that joined the turn are cancelled with it; else they go on as turns of their own. */
  cancelRequest: { by: string | null; reason: string | null; joined?: true } | null;
}

/** One iteration of a turn: one model answer and the actions that it asked for. */
export interface StepRow {
  v: number;
  id: string;
  contextId: string;
  executionId: string;
  iteration: number;
  status: StepStatus;
  attempt: number;
  usage: Usage | null;
  finishReason: string | null;
  error: StoredError | null;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** One semantic unit of a step, in order. An action's part holds its result once it has one. */
export interface PartRow {
  v: number;
  id: string;
  contextId: string;
  executionId: string | null;
  /** Null for imported items whose steps did not survive. */
  stepId: string | null;
  itemId: string;
  /** Its place inside the item, from 0. */
  index: number;
  kind: TranscriptPart["kind"];
  /** For an unsettled action, `status` is still missing. */
  content: Exclude<TranscriptPart, ActionPart> | (Omit<ActionPart, "status"> & { status?: ActionPart["status"] });
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** What running an action a second time would do. */
export type ActionEffect = "read" | "idempotent" | "write";

/** One call of an action. */
export interface CallRow {
  v: number;
  id: string;
  contextId: string;
  executionId: string;
  stepId: string;
  /** The model's id of the call; unique in the execution. */
  callId: string;
  /** The part that shows it. */
  partId: string;
  /** Its place inside the step's batch, from 0. */
  index: number;
  name: string;
  input: JsonValue;
  effect: ActionEffect;
  status: CallStatus;
  output: JsonValue;
  error: StoredError | null;
  /** Stable across retries; what an outside system deduplicates by. */
  idempotencyKey: string;
  attempt: number;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** A request for consent. The decision columns belong to inbox writes. */
export interface ApprovalRow {
  v: number;
  id: string;
  contextId: string;
  executionId: string;
  /** The {@link CallRow} it is about. */
  callRowId: string;
  status: ApprovalStatus;
  reason: string | null;
  expiresAt: number | null;
  decidedAt: number | null;
  decidedBy: string | null;
  comment: string | null;
  /** The input as a person changed it, to be validated again. */
  editedInput: { input: JsonValue } | null;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** An outgoing message, stored with the turn that made it and handed over afterwards. */
export interface OutboxRow {
  v: number;
  id: string;
  contextId: string;
  executionId: string;
  index: number;
  payload: JsonValue;
  status: OutboxStatus;
  createdAt: number;
  updatedAt: number;
  provenance: Provenance | null;
}

/** Which execution a trigger id made, and the digest of what it carried. */
export interface TriggerRow {
  v: number;
  contextId: string;
  triggerId: string;
  digest: string;
  executionId: string;
  createdAt: number;
}
