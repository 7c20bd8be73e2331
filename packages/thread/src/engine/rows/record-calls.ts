import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import type { ApprovalRow, CallRow } from "../../store/rows.ts";
import { assertTransition, callStates, isTerminal, type CallStatus } from "../../store/states.ts";
import { callData, ownedResult, type CallResult } from "../turn/call-result.ts";
import { outcomeQuestionId } from "../turn/outcome-question.ts";
import type { PreparedCall } from "../turn/prepare-calls.ts";
import { baseRow, putCall, putPart, type Draft } from "./draft.ts";

/** The id of the row of a call. */
export const callRowId = (executionId: string, callId: string): string => deriveId("call", executionId, callId);

/** A call of the current step. */
export function findCall({ rows, callAt }: Draft, callId: string): CallRow {
  const call = rows.calls[callAt.get(callRowId(rows.execution.id, callId)) ?? -1];
  // Imported calls keep the ids that they had.
  return call ?? rows.calls.findLast((row) => row.callId === callId && row.stepId === rows.step.id)!;
}

function move(draft: Draft, call: CallRow, ...path: CallStatus[]): CallRow {
  let { status } = call;
  for (const next of path) {
    assertTransition(callStates, `call ${call.callId}`, status, next);
    status = next;
  }
  return { ...call, status, updatedAt: draft.now() };
}

/** Settles a call and merges its result into its part. */
export function settleCall(draft: Draft, call: CallRow, result: CallResult): void {
  const settled: CallRow = {
    ...move(draft, call, result.status),
    output: result.output ?? null,
    error: result.error ?? result.note ?? null,
  };
  putCall(draft, settled);
  const part = draft.rows.parts[draft.partAt.get(call.partId) ?? -1];
  if (part?.content.kind === "action") {
    // A person may settle a call anew: what it was before is not kept beside it.
    const { error: _error, output: _output, modelOutput: _modelOutput, ...shown } = part.content;
    const content = { ...shown, input: call.input };
    const outcome =
      result.status === "succeeded"
        ? {
            status: "succeeded" as const,
            output: result.output ?? null,
            ...(result.modelOutput === undefined ? {} : { modelOutput: result.modelOutput }),
          }
        : { status: "failed" as const, error: result.explanation ?? result.error?.message ?? result.status };
    const metadata = result.resultMetadata === undefined ? {} : { resultMetadata: result.resultMetadata };
    putPart(draft, { ...part, content: { ...content, ...outcome, ...metadata }, updatedAt: settled.updatedAt });
  }
  draft.writer.add("call-changed", callData(settled), call.stepId);
}

/** Adds a call of an answer, in the state that it was prepared for. */
export function addCall(draft: Draft, prepared: PreparedCall, partId: string, index: number, at: number): void {
  const { request, disposition, effect, error, approval } = prepared;
  const { step } = draft.rows;
  const id = callRowId(step.executionId, request.callId);
  const call: CallRow = {
    ...baseRow(draft, at),
    id,
    stepId: step.id,
    callId: request.callId,
    partId,
    index,
    name: request.name,
    input: request.input,
    effect,
    status: "requested",
    output: null,
    error: null,
    idempotencyKey: id,
    attempt: 1,
  };
  draft.writer.add("call-requested", { callId: call.callId, name: call.name, input: call.input, partId }, step.id);
  if (disposition === "refused") return settleCall(draft, call, { status: "failed", error: error! });
  if (disposition === "ask-person") {
    putCall(draft, move(draft, call, "awaiting_approval"));
    const expiresAt = approval?.expiresInMs === undefined ? null : at + approval.expiresInMs;
    return askPerson(
      draft,
      { id: deriveId("approval", id), callRowId: id, reason: approval?.reason ?? null, expiresAt },
      { callId: call.callId, name: call.name, input: call.input, about: "consent" },
    );
  }
  const running = move(draft, call, "running");
  if (disposition === "run") return putCall(draft, running);
  settleCall(draft, running, ownedResult(request.result!));
}

/** A person said yes: the call may run. */
export function approveCall(draft: Draft, callId: string, input: JsonValue): void {
  const call = findCall(draft, callId);
  const running = { ...move(draft, call, "approved", "running"), input };
  putCall(draft, running);
  draft.writer.add("call-changed", callData(running), call.stepId);
}

/** The call runs once more after a crash. */
export function rerunCall(draft: Draft, callId: string): void {
  const call = findCall(draft, callId);
  putCall(draft, { ...call, attempt: call.attempt + 1, updatedAt: draft.now() });
}

/** Asks a person what became of a call that was cut off. */
export function askOutcome(draft: Draft, callId: string, question?: string): void {
  const { id, name, input } = findCall(draft, callId);
  const reason = question ?? `${name} was cut off while it ran. Did it take effect?`;
  askPerson(
    draft,
    { id: outcomeQuestionId(id), callRowId: id, reason, expiresAt: null },
    { callId, name, input, about: "outcome" },
  );
}

function askPerson(
  draft: Draft,
  asked: Pick<ApprovalRow, "id" | "callRowId" | "reason" | "expiresAt">,
  data: JsonObject,
): void {
  const row: ApprovalRow = {
    ...baseRow(draft, draft.now()),
    ...asked,
    status: "pending",
    decidedAt: null,
    decidedBy: null,
    comment: null,
    editedInput: null,
  };
  draft.rows.approvals.push(row);
  draft.approvals.set(row.id, row);
  draft.writer.add(
    "approval-requested",
    { approvalId: row.id, ...data, reason: row.reason, expiresAt: row.expiresAt },
    draft.rows.step.id,
  );
}

/** Closes a request for consent that was not answered. */
export function closeQuestion(draft: Draft, call: CallRow, status: "expired" | "cancelled"): void {
  const { approvals } = draft.rows;
  const approval = approvals.find((row) => row.callRowId === call.id && row.status === "pending");
  if (approval === undefined) return;
  const closed: ApprovalRow = { ...approval, status, updatedAt: draft.now() };
  approvals[approvals.indexOf(approval)] = closed;
  draft.approvals.set(closed.id, closed);
  draft.writer.add("approval-changed", { approvalId: closed.id, callId: call.callId, status }, call.stepId);
}

/**
 * Settles every call that is open when a turn ends, also one that a reactor was allowed to run in an earlier step.
 */
export function endCalls(draft: Draft): void {
  for (const call of draft.rows.calls) {
    if (isTerminal(callStates, call.status)) continue;
    closeQuestion(draft, call, "cancelled");
    if (call.status === "interrupted") continue;
    const message =
      call.status === "running" ? "Cancelled while it ran; it may have taken effect." : "Cancelled before it ran.";
    settleCall(draft, call, { status: "cancelled", error: { code: "ABORTED", message, retryable: false } });
  }
}
