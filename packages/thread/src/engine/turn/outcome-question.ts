import { deriveId } from "@hebra/core";
import type { ApprovalRow, CallRow } from "../../store/rows.ts";

/**
 * Whether an approval asks what became of a call that a crash cut off, and not for consent to run it: `engine.approve`
 * then
 * says that it took effect, `engine.deny` that it did not.
 */
export function isOutcomeQuestion({ id, callRowId }: Pick<ApprovalRow, "id" | "callRowId">): boolean {
  return id === outcomeQuestionId(callRowId);
}

/** The id of the approval that asks what became of a call. */
export function outcomeQuestionId(callRowId: string): string {
  return deriveId("approval", callRowId, "outcome");
}

/** Whether a call was cut off and a person was asked what became of it. */
export function asksWhatHappened(call: CallRow, approvals: readonly ApprovalRow[]): boolean {
  return (
    call.status === "interrupted" &&
    approvals.some((approval) => approval.callRowId === call.id && isOutcomeQuestion(approval))
  );
}
