import { isOutcomeQuestion } from "../engine/turn/outcome-question.ts";
import type { TurnHandle } from "../engine/handle.ts";
import type { TurnResult } from "../engine/rows/turn-result.ts";
import type { ApprovalRow, CallRow, ContextRow, ExecutionRow } from "../store/rows.ts";
import type { HistoryEntry, ListedThread, Snapshot } from "../store/store.ts";
import type * as z from "zod";
import type * as answers from "./schemas.ts";

type Answer<S extends z.ZodType> = z.input<S>;

/** A turn that was accepted. */
export const acceptedView = (
  id: string,
  threadKey: string,
  turn: TurnHandle,
): Answer<typeof answers.acceptedAnswer> => ({
  id,
  threadKey,
  threadId: turn.threadId,
  contextId: turn.contextId,
  executionId: turn.executionId,
  triggerItemId: turn.triggerItemId,
  reactionItemId: turn.reactionItemId,
  duplicate: turn.duplicate,
});

/** How a turn came out. */
export const resultView = (
  { status, reason, text, parts, output, usage, error }: TurnResult,
  approvals: Answer<typeof answers.approvalAnswer>[],
): Answer<typeof answers.resultAnswer>["result"] => ({
  status,
  reason,
  text,
  parts: parts.map((part) => ({ ...part })),
  output,
  usage: { ...usage },
  error: error && { code: error.code, message: error.message, retryable: error.retryable },
  approvals,
});

/** An approval with the call that it is about. */
export function approvalView(
  threadKey: string,
  approval: ApprovalRow,
  calls: readonly CallRow[],
): Answer<typeof answers.approvalAnswer> {
  const call = calls.find(({ id }) => id === approval.callRowId);
  return {
    id: approval.id,
    threadKey,
    contextId: approval.contextId,
    executionId: approval.executionId,
    status: approval.status,
    asks: isOutcomeQuestion(approval) ? "outcome" : "consent",
    call: call === undefined ? null : { callId: call.callId, name: call.name, input: call.input, effect: call.effect },
    reason: approval.reason,
    expiresAt: approval.expiresAt,
    decidedBy: approval.decidedBy,
    comment: approval.comment,
    createdAt: approval.createdAt,
  };
}

/** The approvals of the active turn that a person may decide now. */
export function pendingApprovals({ thread, active }: Snapshot): Answer<typeof answers.approvalAnswer>[] {
  if (active === undefined || active.execution.cancelRequestedAt !== null) return [];
  return active.approvals
    .filter(({ status }) => status === "pending")
    .map((approval) => approvalView(thread.key, approval, active.calls));
}

/** A thread of a listing. */
export const listedView = ({ key, id, name, status, createdAt, updatedAt }: ListedThread) => ({
  key,
  id,
  name,
  status,
  createdAt,
  updatedAt,
});

const turnView = ({ id, triggerId, definition, status, usage, createdAt, startedAt }: ExecutionRow) => ({
  executionId: id,
  triggerId,
  definition,
  status,
  usage: { ...usage },
  createdAt,
  startedAt,
});

/** One conversation as it stands. */
export function threadView(snapshot: Snapshot, withState: boolean): Answer<typeof answers.threadAnswer> {
  const { thread, context, active, queued } = snapshot;
  return {
    ...listedView({ ...thread, status: context.status }),
    contextId: context.id,
    seq: context.seq,
    active: active === undefined ? null : turnView(active.execution),
    queued: queued.map(({ execution }) => turnView(execution)),
    approvals: pendingApprovals(snapshot),
    ...(withState ? { state: context.state } : {}),
  };
}

/** One item of a history. What a reaction says is in its parts, what a trigger says in its content. */
export function itemView({ item, parts }: HistoryEntry): Answer<typeof answers.itemsAnswer>["items"][number] {
  const { id, seq, kind, role, status, executionId, metadata, createdAt } = item;
  const shown = parts.length > 0 ? parts.map(({ content }) => content) : item.content;
  return {
    id,
    seq: seq ?? 0,
    kind,
    role,
    status,
    executionId,
    parts: shown.map((part) => ({ ...part })),
    metadata: { ...metadata },
    createdAt,
  };
}

/** A fork. */
export const forkView = (threadKey: string, { id, parentContextId, seq }: ContextRow) => ({
  threadKey,
  contextId: id,
  parentContextId,
  seq,
});
