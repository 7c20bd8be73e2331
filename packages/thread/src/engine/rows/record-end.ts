import { deriveId, errorMessage, HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { toStorable } from "../../definition/storable.ts";
import type { ApprovalRow, ExecutionRow, OutboxRow, StepRow } from "../../store/rows.ts";
import { assertTransition, executionStates, itemStates, stepStates } from "../../store/states.ts";
import type { Changes } from "../../store/store.ts";
import type { Continuation, Outcome, TurnState } from "../turn/turn-state.ts";
import { baseRow, type Draft, type TurnRows } from "./draft.ts";
import { newStep } from "./new-rows.ts";
import { endCalls } from "./record-calls.ts";

/** What a continuation adds to a write. */
interface Continued {
  execution: ExecutionRow;
  steps: StepRow[];
  outbox: OutboxRow[];
}

/** Everything since the last write, with what the continuation adds. */
export function buildChanges(
  draft: Draft,
  continuation: Continuation,
  state: TurnState,
  outgoing: (rows: TurnRows) => readonly JsonValue[],
): Changes {
  const at = draft.now();
  const { rows, writer, parts, calls, approvals, outboxDone } = draft;
  const before = rows.execution;
  const execution: ExecutionRow = { ...before, usage: state.usage, wakeAt: null, updatedAt: at };
  const continued = continueWith(draft, continuation, { execution, steps: [], outbox: [] }, outgoing, at);
  const { steps, outbox } = continued;
  const released = [...draft.released.values()];
  // One may have been given a place by a write that was refused.
  const items = [...draft.items.filter(({ id }) => !draft.released.has(id)), ...released.map(({ item }) => item)];
  rows.execution = continued.execution;
  // All of it happens now, with the rows.
  for (const event of writer.events) event.at = at;
  return {
    context: { ...draft.patch, updatedAt: at },
    ...(items.length > 0 ? { items } : {}),
    executions: [continued.execution, ...released.map(({ execution }) => execution)],
    ...(released.length > 0 ? { triggers: released.map(({ trigger }) => trigger) } : {}),
    ...(steps.length > 0 ? { steps } : {}),
    ...(parts.size > 0 ? { parts: [...parts.values()] } : {}),
    ...(calls.size > 0 ? { calls: [...calls.values()] } : {}),
    ...(approvals.size > 0 ? { approvals: [...approvals.values()] } : {}),
    ...(outbox.length > 0 ? { outbox } : {}),
    ...(outboxDone.length > 0 ? { handedOver: outboxDone } : {}),
    events: writer.events,
  };
}

function continueWith(
  draft: Draft,
  continuation: Continuation,
  continued: Continued,
  outgoing: (rows: TurnRows) => readonly JsonValue[],
  at: number,
): Continued {
  switch (continuation.then) {
    case "stay":
      return stay(draft, continued);
    case "wait":
      return wait(draft, continued, at);
    case "next-step":
      return beginStep(draft, endStep(draft, continued, "completed", at), at);
    case "end":
      endCalls(draft);
      return endTurn(draft, continuation.outcome, continued, outgoing, at);
  }
}

function stay(draft: Draft, { execution, steps, outbox }: Continued): Continued {
  const resumed = resume(draft, execution);
  if (draft.stepDirty || resumed.status !== execution.status) steps.push(draft.rows.step);
  return { execution: resumed, steps, outbox };
}

function wait(draft: Draft, { execution, steps, outbox }: Continued, at: number): Continued {
  const { rows, writer, patch } = draft;
  assertTransition(executionStates, "execution", execution.status, "waiting");
  if (execution.status !== "waiting") writer.add("execution-waiting", { approvals: openApprovals(rows) });
  rows.step = { ...rows.step, status: "waiting", updatedAt: at };
  steps.push(rows.step);
  patch.status = "waiting";
  return { execution: { ...execution, status: "waiting", wakeAt: earliestExpiry(rows.approvals) }, steps, outbox };
}

function endStep(draft: Draft, continued: Continued, status: StepRow["status"], at: number): Continued {
  const { rows, writer } = draft;
  assertTransition(stepStates, "step", rows.step.status, status);
  rows.step = { ...rows.step, status, updatedAt: at };
  continued.steps.push(rows.step);
  const { iteration, usage, id } = rows.step;
  writer.add("step-ended", { iteration, status, ...(usage === null ? {} : { usage: usage as JsonObject }) }, id);
  return continued;
}

function beginStep(draft: Draft, { execution: before, steps, outbox }: Continued, at: number): Continued {
  const { rows, writer } = draft;
  const execution = resume(draft, before);
  rows.step = newStep(execution, rows.step.iteration + 1, at);
  steps.push(rows.step);
  writer.add("step-started", { iteration: rows.step.iteration, attempt: 1 }, rows.step.id);
  return { execution, steps, outbox };
}

function endTurn(
  draft: Draft,
  { status, reason }: Outcome,
  continued: Continued,
  outgoing: (rows: TurnRows) => readonly JsonValue[],
  at: number,
): Continued {
  const { rows, writer, patch, items } = draft;
  const { steps } = endStep(draft, continued, status === "incomplete" ? "completed" : status, at);
  assertTransition(executionStates, "execution", continued.execution.status, status);
  const execution: ExecutionRow = { ...continued.execution, status, outcome: reason, endedAt: at };
  const itemStatus = status === "incomplete" ? "completed" : status;
  assertTransition(itemStates, "item", rows.reaction.status, itemStatus);
  rows.reaction = { ...rows.reaction, status: itemStatus, updatedAt: at };
  items.push(rows.reaction);
  writer.add("item-changed", { itemId: rows.reaction.id, status: itemStatus });
  writer.add("execution-ended", {
    status,
    reason,
    usage: { ...execution.usage } as JsonObject,
    error: execution.error === null ? null : { ...execution.error },
    output: execution.output,
  });
  patch.status = "open";
  patch.currentExecutionId = null;
  rows.execution = execution;
  return { execution, steps, outbox: outboxRows(draft, payloadsOf(draft, outgoing), at) };
}

/**
 * What an ended turn sends. The first time that the function throws, the turn fails with the cause; when it throws for
 * the failed turn too, nothing is sent.
 *
 * @throws HebraError `OUTBOX_FAILED`
 */
function payloadsOf(draft: Draft, outgoing: (rows: TurnRows) => readonly JsonValue[]): JsonValue[] {
  try {
    return [...outgoing(draft.rows)].map((payload) => toStorable(payload).value);
  } catch (error) {
    if (draft.outboxFailed) return [];
    draft.outboxFailed = true;
    throw new HebraError("OUTBOX_FAILED", `The engine's \`outbox\` function threw: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function outboxRows(draft: Draft, payloads: readonly JsonValue[], at: number): OutboxRow[] {
  const { id } = draft.rows.execution;
  return payloads.map((payload, index) => ({
    ...baseRow(draft, at),
    id: deriveId("outbox", id, index),
    index,
    payload,
    status: "pending",
  }));
}

/** A waiting execution that goes on is running again. */
function resume({ writer, patch, rows, now }: Draft, execution: ExecutionRow): ExecutionRow {
  if (execution.status !== "waiting") return execution;
  writer.add("execution-resumed", {});
  patch.status = "running";
  if (rows.step.status === "waiting") rows.step = { ...rows.step, status: "running", updatedAt: now() };
  return { ...execution, status: "running" };
}

/** What people are asked, for those who only read the stream. */
function openApprovals({ approvals, calls }: TurnRows): JsonObject[] {
  const names = new Map(calls.map(({ id, callId, name }) => [id, { callId, name }]));
  return approvals
    .filter(({ status }) => status === "pending")
    .map(({ id, callRowId, reason, expiresAt }) => ({ approvalId: id, ...names.get(callRowId), reason, expiresAt }));
}

/** When the first of the approvals that nobody has decided expires. */
export function earliestExpiry(approvals: readonly ApprovalRow[]): number | null {
  const expiries = approvals.flatMap(({ status, expiresAt }) =>
    status === "pending" && expiresAt !== null ? [expiresAt] : [],
  );
  return expiries.length === 0 ? null : Math.min(...expiries);
}
