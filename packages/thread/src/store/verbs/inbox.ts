import { digest, HebraError } from "@hebra/core";
import type { ApprovalRow } from "../rows.ts";
import { executionStates, isTerminal } from "../states.ts";
import type { Decision } from "../store.ts";
import { approvals, contexts, executions, type StoredContext, type StoredExecution } from "../tables.ts";
import { contextOf } from "./guard.ts";
import { findOne, setting, write, type Update, type Verb } from "./op.ts";

export type CancelGiven = { by?: string; reason?: string; joined?: boolean; at: number };
export type DecisionGiven = Decision & { by?: string; comment?: string; at: number };

/** Takes the next place in a context's inbox, with what changes. */
function* arrive(tenant: string, context: StoredContext, ...changes: Update[]): Verb<void> {
  const place = setting(contexts, [tenant, context.id], { inboxSeq: context.inboxSeq + 1, importDigest: null });
  yield* write({ sets: [place, ...changes], notify: { tenant, contextId: context.id } });
}

/**
 * A waiting execution has no worker that would hear of it: whoever looks for what is due finds it, whatever the clocks
 * say.
 */
const due = (execution: Pick<StoredExecution, "status">): Partial<StoredExecution> =>
  execution.status === "waiting" ? { wakeAt: 0 } : {};

export function* requestCancel(tenant: string, executionId: string, request: CancelGiven): Verb<void> {
  const seen = yield* findOne(executions, "byId", [tenant, executionId]);
  if (seen === undefined) {
    throw new HebraError("EXECUTION_NOT_FOUND", `There is no execution ${executionId} in this tenant.`, {
      details: { executionId },
    });
  }
  if (wasAsked(seen, request)) return;
  const context = yield* contextOf(tenant, seen.contextId, true);
  const execution = (yield* findOne(executions, "byId", [tenant, executionId])) ?? seen;
  if (wasAsked(execution, request)) return;
  const cancelRequest: StoredExecution["cancelRequest"] = {
    by: request.by ?? null,
    reason: request.reason ?? null,
    ...(request.joined === true && { joined: true }),
  };
  yield* arrive(
    tenant,
    context,
    setting(executions, [tenant, execution.contextId, executionId], {
      cancelRequestedAt: request.at,
      cancelRequest,
      ...due(execution),
    }),
  );
}

/** Whether a request asks for nothing new. */
function wasAsked({ status, cancelRequestedAt, cancelRequest }: StoredExecution, { joined }: CancelGiven): boolean {
  if (isTerminal(executionStates, status)) return true;
  return cancelRequestedAt !== null && (joined !== true || cancelRequest?.joined === true);
}

export function* decideApproval(tenant: string, approvalId: string, given: DecisionGiven): Verb<ApprovalRow> {
  const seen = yield* approvalOf(tenant, approvalId);
  if (decidedAlready(seen, given)) return seen;
  const context = yield* contextOf(tenant, seen.contextId, true);
  const row = yield* approvalOf(tenant, approvalId);
  if (decidedAlready(row, given)) return row;
  const decided: ApprovalRow = {
    ...row,
    status: given.decision,
    decidedAt: given.at,
    decidedBy: given.by ?? null,
    comment: given.comment ?? null,
    editedInput: edited(given),
    updatedAt: given.at,
  };
  const { status, decidedAt, decidedBy, comment, editedInput, updatedAt } = decided;
  const execution = yield* findOne(executions, "byId", [tenant, row.executionId]);
  const woken =
    execution?.status === "waiting"
      ? [setting(executions, [tenant, row.contextId, row.executionId], due(execution))]
      : [];
  yield* arrive(
    tenant,
    context,
    ...woken,
    setting(approvals, [tenant, row.executionId, approvalId], {
      status,
      decidedAt,
      decidedBy,
      comment,
      editedInput,
      updatedAt,
    }),
  );
  return decided;
}

function* approvalOf(tenant: string, approvalId: string): Verb<ApprovalRow> {
  const row = yield* findOne(approvals, "byId", [tenant, approvalId]);
  if (row === undefined)
    throw new HebraError("APPROVAL_NOT_FOUND", `There is no approval ${approvalId} in this tenant.`, {
      details: { approvalId },
    });
  return row;
}

function edited(given: DecisionGiven): ApprovalRow["editedInput"] {
  return given.decision === "approved" && given.editedInput !== undefined ? { input: given.editedInput } : null;
}

/** Whether the same decision stands already. @throws HebraError when another does, or it is too late */
function decidedAlready(row: ApprovalRow, given: DecisionGiven): boolean {
  const details = { approvalId: row.id, status: row.status };
  if (row.status === "pending") {
    if (row.expiresAt === null || given.at < row.expiresAt) return false;
    throw new HebraError("APPROVAL_EXPIRED", `The approval ${row.id} has expired. Ask again.`, { details });
  }
  if (row.status === "expired")
    throw new HebraError("APPROVAL_EXPIRED", `The approval ${row.id} has expired. Ask again.`, { details });
  if (row.status === given.decision && digest(row.editedInput) === digest(edited(given))) return true;
  throw new HebraError(
    "APPROVAL_DECIDED",
    `The approval ${row.id} is ${row.status} already; the first decision stands.`,
    { details },
  );
}
