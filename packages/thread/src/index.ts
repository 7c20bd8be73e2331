export {
  defineAction,
  withState,
  type Action,
  type ActionContext,
  type ActionRetry,
  type AnyAction,
  type ApprovalRequirement,
  type CallIds,
  type ModelOutput,
  type StateChange,
} from "./definition/define-action.ts";
export {
  defineThread,
  type ActionMap,
  type ActionsContext,
  type AnyThreadDefinition,
  type Compaction,
  type PrepareContext,
  type ServicesContext,
  type StepContext,
  type ThreadDefinition,
  type ThreadOptions,
  type ToolLike,
} from "./definition/define-thread.ts";
export type { CountedPrompt, PromptBudget, ResolvedPromptBudget } from "./definition/prompt-budget.ts";
export type { BusyPolicy, LoopPolicy, ResolvedPolicy } from "./definition/policy.ts";
export type {
  Address,
  Conversation,
  DefinitionOf,
  Engine,
  EngineOptions,
  ReactOptions,
  SendOptions,
} from "./engine/api.ts";
export type { BlobName, BlobStore } from "./engine/blobs/blob-store.ts";
export { fileBlobs, type FileBlobsOptions } from "./engine/blobs/file-blobs.ts";
export type { EngineHealth, StuckConversation } from "./engine/engine-health.ts";
export type { HistoryOptions } from "./engine/history-options.ts";
export { approvalTokens, type ApprovalTokens, type ApprovalTokensOptions } from "./engine/approval-tokens.ts";
export { createEngine } from "./engine/engine.ts";
export type { TurnHandle } from "./engine/handle.ts";
export { replay, type Replayed } from "./engine/replay.ts";
export type { Trigger } from "./engine/trigger.ts";
export type { ComparedSide, Comparison } from "./engine/compare.ts";
export { isOutcomeQuestion } from "./engine/turn/outcome-question.ts";
export type { TurnResult } from "./engine/rows/turn-result.ts";
export { bundleDigest } from "./store/bundle.ts";
export type { LeaseAnswer, LeasePort, LeaseRequest } from "./store/leases.ts";
export { storeLocks, type StoreLocksOptions } from "./store/locks.ts";
export {
  exportJsonLines,
  importJsonLines,
  type ImportJsonLinesOptions,
  type TransferCursor,
  type TransferReport,
} from "./store/transfer.ts";
export {
  ROW_VERSION,
  type ActionEffect,
  type ApprovalRow,
  type CallRow,
  type CancelRequest,
  type ContextRow,
  type ExecutionRow,
  type ExecutionUsage,
  type ItemKind,
  type ItemRow,
  type OutboxRow,
  type PartRow,
  type Provenance,
  type StepRow,
  type StoredError,
  type ThreadRow,
  type TriggerRow,
} from "./store/rows.ts";
export type {
  ApprovalStatus,
  CallStatus,
  ContextStatus,
  ExecutionStatus,
  ItemStatus,
  OutboxStatus,
  StepStatus,
} from "./store/states.ts";
export type {
  Begin,
  Begun,
  Changes,
  Committed,
  ContextBundle,
  ContextPatch,
  Decision,
  Deleted,
  ExecutionGraph,
  Guard,
  HistoryEntry,
  HistoryPage,
  HistoryWindow,
  Imported,
  ListedThread,
  ListOptions,
  Page,
  QueuedExecution,
  Snapshot,
  StateDocument,
  SweepCandidate,
  SystemStore,
  ThreadRef,
  ThreadStore,
} from "./store/store.ts";
export {
  isDurable,
  type DurableEvent,
  type DurableEventType,
  type LiveEvent,
  type EventData,
  type LiveEventType,
  type ThreadEvent,
} from "./stream/envelope.ts";
export { cursorOf } from "./stream/cursor.ts";
export type { LiveTail, TailPage, TailRecord, TailTurn } from "./stream/live-tail.ts";
export type { ThreadTelemetryOptions } from "./engine/telemetry-options.ts";
export { threadMetrics, type MetricDescription } from "./telemetry/thread-metrics.ts";
