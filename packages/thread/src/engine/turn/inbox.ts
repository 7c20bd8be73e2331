import { HebraError, type JsonValue } from "@hebra/core";
import type { ApprovalRow, CallRow, ItemRow } from "../../store/rows.ts";
import type { ExecutionGraph, ThreadStore } from "../../store/store.ts";
import { isOutcomeQuestion } from "./outcome-question.ts";
import type { CallResult } from "./call-result.ts";
import type { TurnRows } from "../rows/draft.ts";
import type { PersonDecision } from "./turn-state.ts";

/** A decision about a call that waits for one. */
export type FoundDecision =
  | { callId: string; decision: "approved"; input: JsonValue | undefined }
  | { callId: string; decision: Exclude<PersonDecision, "approved">; result: CallResult };

/** Whether a call waits for this approval. */
function waitsFor(call: CallRow | undefined, approval: ApprovalRow): call is CallRow {
  return call?.status === (isOutcomeQuestion(approval) ? "interrupted" : "awaiting_approval");
}

/** What other processes have left for a running turn. */
export interface Found {
  /** The turn is not in the store any more. */
  isGone: boolean;
  cancelled: boolean;
  /** With all messages that joined the turn. */
  cancelsJoined: boolean;
  decisions: FoundDecision[];
  /** Input that was attached to the turn. */
  input: ItemRow[];
}

/** Whether a write was refused because the inbox has moved, and nothing else. */
export function isInboxConflict(error: unknown): boolean {
  return HebraError.isInstance(error) && error.code === "VERSION_CONFLICT" && error.details["inbox"] === true;
}

/** Whether a waiting execution has something to go on with: a cancellation, a decision, or an expiry. */
export function hasNews(active: ExecutionGraph, now: number): boolean {
  if (active.execution.cancelRequestedAt !== null) return true;
  return active.approvals.some((approval) => {
    const call = active.calls.find(({ id }) => id === approval.callRowId);
    if (!waitsFor(call, approval)) return false;
    return approval.status !== "pending" || (approval.expiresAt !== null && approval.expiresAt <= now);
  });
}

/** What a person said became of a call that was cut off. */
function toldOutcome({
  status,
  editedInput,
  comment,
}: ApprovalRow): { decision: "took-effect" | "no-effect"; result: CallResult } | undefined {
  if (status === "approved")
    return { decision: "took-effect", result: { status: "succeeded", output: editedInput?.input ?? null } };
  if (status !== "denied") return undefined;
  const message = `It was cut off, and a person says that it did not take effect${comment === null ? "" : `: ${comment}`}.`;
  return {
    decision: "no-effect",
    result: { status: "failed", error: { code: "ACTION_INTERRUPTED", message, retryable: false } },
  };
}

/** @param options - `known` is the attached input that was found before. */
export async function readDecisions(options: {
  store: ThreadStore;
  tenant: string;
  executionId: string;
  rows: TurnRows;
  now: number;
  known: readonly ItemRow[];
}): Promise<Found> {
  const { store, tenant, executionId, rows, now, known } = options;
  const graph = await store.execution(tenant, executionId);
  if (graph === undefined) return { isGone: true, cancelled: false, cancelsJoined: false, decisions: [], input: [] };
  const decisions: FoundDecision[] = [];
  for (const approval of graph.approvals) {
    const call = rows.calls.find(({ id }) => id === approval.callRowId);
    if (!waitsFor(call, approval)) continue;
    const mine = rows.approvals.findIndex(({ id }) => id === approval.id);
    if (mine !== -1) rows.approvals[mine] = approval;
    const { callId } = call;
    if (isOutcomeQuestion(approval)) {
      const told = toldOutcome(approval);
      if (told !== undefined) decisions.push({ callId, ...told });
      continue;
    }
    if (approval.status === "approved")
      decisions.push({ callId, decision: "approved", input: approval.editedInput?.input });
    if (approval.status === "denied") {
      const message =
        approval.comment === null ? "A person denied this call." : `A person denied this call: ${approval.comment}`;
      decisions.push({
        callId,
        decision: "denied",
        result: { status: "denied", error: { code: "APPROVAL_DECIDED", message, retryable: false } },
      });
    }
    if (approval.status === "pending" && approval.expiresAt !== null && approval.expiresAt <= now) {
      const error = {
        code: "APPROVAL_EXPIRED",
        message: "Nobody consented to this call in time; it did not run.",
        retryable: false,
      };
      decisions.push({ callId, decision: "expired", result: { status: "expired", error } });
    }
  }
  const seen = new Set(known.map(({ id }) => id));
  const input = graph.items.filter((item) => item.kind === "trigger" && item.seq === null && !seen.has(item.id));
  const { cancelRequestedAt, cancelRequest } = graph.execution;
  const cancelsJoined = cancelRequest?.joined === true;
  return { isGone: false, cancelled: cancelRequestedAt !== null, cancelsJoined, decisions, input };
}
