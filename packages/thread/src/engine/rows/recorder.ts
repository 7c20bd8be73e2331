import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import {
  ROW_VERSION,
  type ApprovalRow,
  type CallRow,
  type ContextRow,
  type ExecutionRow,
  type ItemRow,
  type OutboxRow,
  type PartRow,
  type StepRow,
  type StoredError,
} from "../../store/rows.ts";
import {
  assertTransition,
  callStates,
  executionStates,
  isTerminal,
  itemStates,
  stepStates,
  type CallStatus,
} from "../../store/states.ts";
import type { Changes, ContextPatch } from "../../store/store.ts";
import type { Answer } from "../turn/answer.ts";
import { callData, ownedResult, type CallResult } from "../turn/call-result.ts";
import { createEventWriter, type EventWriter } from "./event-writer.ts";
import { newStep } from "./new-rows.ts";
import { outcomeQuestionId } from "../turn/outcome-question.ts";
import type { PreparedCall } from "../turn/prepare-calls.ts";
import { itemData } from "./start.ts";
import { documentBefore } from "./state.ts";
import type { Continuation, TurnState } from "../turn/turn-state.ts";

/** The rows of a turn in this process: what the store holds, and what the next write will add to it. */
export interface TurnRows {
  context: ContextRow;
  execution: ExecutionRow;
  trigger: ItemRow;
  reaction: ItemRow;
  step: StepRow;
  /** All of the execution, in order. */
  parts: PartRow[];
  /** All of the execution. */
  calls: CallRow[];
  approvals: ApprovalRow[];
}

/** Turns what happened into rows and events, and keeps them until the next write has landed. */
export interface Recorder {
  readonly rows: TurnRows;
  /**
   * Adds an answer. Of one that was cut off there are no prepared calls, and its calls are left out. @param reactor -
   * whose session it is.
   */
  answer(answer: Answer, prepared: readonly PreparedCall[], reactor: string): void;
  /** Settles a call and merges its result into its part. */
  result(callId: string, result: CallResult): void;
  /** A person said yes: the call may run. */
  approve(callId: string, input: JsonValue): void;
  /** A person is to say what became of a call that was cut off. */
  askOutcome(callId: string): void;
  /** The call runs once more after a crash. */
  rerun(callId: string): void;
  /** Input that came while the turn ran takes its place in the order. */
  steer(item: ItemRow): void;
  /** Closes a request for consent that was not answered. */
  closeApproval(callId: string, status: "expired" | "cancelled"): void;
  /** The next state document. */
  setState(state: JsonValue): void;
  fail(error: StoredError): void;
  setOutput(output: JsonValue): void;
  handedOver(outboxIds: readonly string[]): void;
  /** Everything since the last write, with what the continuation adds. */
  build(continuation: Continuation, state: TurnState): Changes;
  /** Says that the last build has landed. */
  landed(seq: number): void;
  /** Takes the last build back, as it was refused; what came in before it is kept. */
  undo(): void;
}

/**
 * @param rows - as they are in the store. Changed in place.
 * @param outgoing - what an ended turn sends: it becomes outbox rows of the same write.
 */
export function createRecorder(
  tenant: string,
  rows: TurnRows,
  now: () => number,
  outgoing: (rows: TurnRows) => readonly JsonValue[] = () => [],
): Recorder {
  const dirtyParts = new Map<string, PartRow>();
  const dirtyCalls = new Map<string, CallRow>();
  const dirtyApprovals = new Map<string, ApprovalRow>();
  let newItems: ItemRow[] = [];
  let outboxDone: string[] = [];
  let patch: Omit<ContextPatch, "updatedAt"> = {};
  let writer = newWriter();
  let stepDirty = false;
  let takeBack = () => {};

  function newWriter(): EventWriter {
    const { context, execution } = rows;
    return createEventWriter({ tenant, contextId: context.id, executionId: execution.id, seq: context.seq, at: now() });
  }

  const base = (at: number) => ({
    v: ROW_VERSION,
    contextId: rows.context.id,
    executionId: rows.execution.id,
    createdAt: at,
    updatedAt: at,
    provenance: null,
  });

  function putPart(part: PartRow): void {
    const index = rows.parts.findLastIndex(({ id }) => id === part.id);
    if (index === -1) rows.parts.push(part);
    else rows.parts[index] = part;
    dirtyParts.set(part.id, part);
  }

  function putCall(call: CallRow): void {
    const index = rows.calls.findLastIndex(({ id }) => id === call.id);
    if (index === -1) rows.calls.push(call);
    else rows.calls[index] = call;
    dirtyCalls.set(call.id, call);
  }

  function find(callId: string): CallRow {
    return rows.calls.findLast((call) => call.callId === callId && call.stepId === rows.step.id)!;
  }

  function move(call: CallRow, ...path: CallStatus[]): CallRow {
    let { status } = call;
    for (const next of path) {
      assertTransition(callStates, `call ${call.callId}`, status, next);
      status = next;
    }
    return { ...call, status, updatedAt: now() };
  }

  function settle(call: CallRow, result: CallResult): void {
    const moved = move(call, result.status);
    const settled: CallRow = { ...moved, output: result.output ?? null, error: result.error ?? null };
    putCall(settled);
    const part = rows.parts.findLast(({ id }) => id === call.partId);
    if (part?.content.kind === "action") {
      // What it was before it is settled anew by a person is not kept beside it.
      const { error: _error, output: _output, ...shown } = part.content;
      const content = { ...shown, input: call.input };
      const outcome =
        result.status === "succeeded"
          ? { status: "succeeded" as const, output: result.output ?? null }
          : { status: "failed" as const, error: result.explanation ?? result.error?.message ?? result.status };
      putPart({ ...part, content: { ...content, ...outcome }, updatedAt: settled.updatedAt });
    }
    writer.add("call-changed", callData(settled), call.stepId);
  }

  const recorder: Recorder = {
    rows,
    answer(answer, prepared, reactor) {
      const at = now();
      const { step, reaction } = rows;
      let callIndex = 0;
      for (const [callId, result] of answer.results) {
        const call = rows.calls.find((row) => row.callId === callId && row.status === "running");
        if (call !== undefined) settle(call, ownedResult(result));
      }
      for (const entry of answer.parts) {
        const index = rows.parts.length;
        const id = deriveId("part", step.id, entry.slot);
        const shared = { ...base(at), id, stepId: step.id, itemId: reaction.id, index };
        if ("part" in entry) {
          const content = { ...entry.part, step: step.iteration };
          if (content.kind === "text" || content.kind === "reasoning") content.text = content.text.toWellFormed();
          putPart({ ...shared, kind: content.kind, content });
          writer.add(
            "part-created",
            { partId: id, itemId: reaction.id, index, part: content as unknown as JsonObject },
            step.id,
          );
          continue;
        }
        const call = prepared[callIndex];
        if (call === undefined) continue;
        const { request } = call;
        const content: PartRow["content"] = {
          kind: "action",
          callId: request.callId,
          name: request.name,
          input: request.input,
          step: step.iteration,
        };
        if (request.owned) content.ownedByReactor = true;
        if (request.providerMetadata !== undefined) content.providerMetadata = request.providerMetadata;
        putPart({ ...shared, kind: "action", content });
        writer.add(
          "part-created",
          { partId: id, itemId: reaction.id, index, part: content as unknown as JsonObject },
          step.id,
        );
        addCall(call, id, callIndex++, at);
      }
      rows.step = { ...step, usage: answer.usage, finishReason: answer.finishReason ?? null, updatedAt: at };
      stepDirty = true;
      if (answer.session !== undefined)
        patch.sessions = { ...(patch.sessions ?? rows.context.sessions), [reactor]: answer.session };
    },
    result: (callId, result) => settle(find(callId), result),
    approve(callId, input) {
      const call = find(callId);
      const running = { ...move(call, "approved", "running"), input };
      putCall(running);
      writer.add("call-changed", callData(running), call.stepId);
    },
    askOutcome(callId) {
      const { id, name, input } = find(callId);
      const reason = `${name} was cut off by a crash while it ran. Did it take effect?`;
      askPerson(
        { id: outcomeQuestionId(id), callRowId: id, reason, expiresAt: null },
        { callId, name, input, about: "outcome" },
      );
    },
    rerun(callId) {
      const call = find(callId);
      putCall({ ...call, attempt: call.attempt + 1, updatedAt: now() });
    },
    steer(item) {
      const placed: ItemRow = {
        ...item,
        seq: writer.nextSeq(),
        metadata: { ...item.metadata, heardAt: rows.step.iteration + 1 },
        updatedAt: now(),
      };
      newItems.push(placed);
      writer.add("item-created", itemData(placed));
    },
    closeApproval(callId, status) {
      closeQuestion(find(callId), status);
    },
    setState(state) {
      patch.state = state;
      // The document may have been read in an older form: what is written is of the present one.
      const { stateVersion } = rows.context;
      patch.stateVersion = stateVersion;
      writer.add("context-changed", { state, stateVersion, ...documentBefore(rows.context) });
    },
    fail(error) {
      rows.execution = { ...rows.execution, error };
      rows.step = { ...rows.step, error };
      stepDirty = true;
    },
    setOutput(output) {
      rows.execution = { ...rows.execution, output };
    },
    handedOver(ids) {
      outboxDone.push(...ids);
    },
    undo: () => takeBack(),
    build(continuation, state) {
      const at = now();
      takeBack = checkpoint();
      const steps: StepRow[] = [];
      const { execution: before } = rows;
      let execution: ExecutionRow = { ...before, usage: state.usage, wakeAt: null, updatedAt: at };
      const items = newItems;
      let outbox: OutboxRow[] = [];

      if (continuation.then === "end") endCalls();
      if (continuation.then === "next-step" || continuation.then === "end") {
        const status = continuation.then === "next-step" ? "completed" : stepOutcome(continuation.outcome.status);
        assertTransition(stepStates, "step", rows.step.status, status);
        rows.step = { ...rows.step, status, updatedAt: at };
        steps.push(rows.step);
        writer.add(
          "step-ended",
          {
            iteration: rows.step.iteration,
            status,
            ...(rows.step.usage === null ? {} : { usage: rows.step.usage as JsonObject }),
          },
          rows.step.id,
        );
      }
      switch (continuation.then) {
        case "stay":
          execution = resume(execution);
          if (stepDirty || execution.status !== before.status) steps.push(rows.step);
          break;
        case "wait":
          assertTransition(executionStates, "execution", execution.status, "waiting");
          if (execution.status !== "waiting") writer.add("execution-waiting", {});
          execution = { ...execution, status: "waiting", wakeAt: earliestExpiry(rows.approvals) };
          rows.step = { ...rows.step, status: "waiting", updatedAt: at };
          steps.push(rows.step);
          patch.status = "waiting";
          break;
        case "next-step":
          execution = resume(execution);
          rows.step = newStep(execution, rows.step.iteration + 1, at);
          steps.push(rows.step);
          writer.add("step-started", { iteration: rows.step.iteration, attempt: 1 }, rows.step.id);
          break;
        case "end": {
          const { status, reason } = continuation.outcome;
          assertTransition(executionStates, "execution", execution.status, status);
          execution = { ...execution, status, outcome: reason, endedAt: at };
          const itemStatus = status === "completed" || status === "incomplete" ? "completed" : status;
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
          outbox = outgoing(rows).map((payload, index) => ({
            ...base(at),
            id: deriveId("outbox", execution.id, index),
            index,
            payload,
            status: "pending",
          }));
        }
      }
      rows.execution = execution;
      // All of it happens now, with the rows.
      for (const event of writer.events) event.at = at;
      return {
        context: { ...patch, updatedAt: at },
        ...(items.length > 0 ? { items } : {}),
        executions: [execution],
        ...(steps.length > 0 ? { steps } : {}),
        ...(dirtyParts.size > 0 ? { parts: [...dirtyParts.values()] } : {}),
        ...(dirtyCalls.size > 0 ? { calls: [...dirtyCalls.values()] } : {}),
        ...(dirtyApprovals.size > 0 ? { approvals: [...dirtyApprovals.values()] } : {}),
        ...(outbox.length > 0 ? { outbox } : {}),
        ...(outboxDone.length > 0 ? { handedOver: outboxDone } : {}),
        events: writer.events,
      };
    },
    landed(seq) {
      rows.context = { ...rows.context, ...patch, seq };
      patch = {};
      newItems = [];
      outboxDone = [];
      stepDirty = false;
      dirtyParts.clear();
      dirtyCalls.clear();
      dirtyApprovals.clear();
      writer = newWriter();
    },
  };
  return recorder;

  function checkpoint(): () => void {
    const { step, reaction, execution: before } = rows;
    const events = writer.events.length;
    const kept = { ...patch };
    const items = newItems.length;
    return () => {
      Object.assign(rows, { step, reaction, execution: before });
      writer.events.length = events;
      patch = kept;
      newItems.length = items;
    };
  }

  /** A waiting execution that goes on is running again. */
  function resume(execution: ExecutionRow): ExecutionRow {
    if (execution.status !== "waiting") return execution;
    writer.add("execution-resumed", {});
    patch.status = "running";
    if (rows.step.status === "waiting") rows.step = { ...rows.step, status: "running", updatedAt: now() };
    return { ...execution, status: "running" };
  }

  /** Nothing stays pending when a turn ends: not even what a reactor was allowed to run in an earlier step. */
  function endCalls(): void {
    for (const call of rows.calls) {
      if (isTerminal(callStates, call.status)) continue;
      closeQuestion(call, "cancelled");
      if (call.status === "interrupted") continue;
      const message =
        call.status === "running" ? "Cancelled while it ran; it may have taken effect." : "Cancelled before it ran.";
      settle(call, { status: "cancelled", error: { code: "ABORTED", message, retryable: false } });
    }
  }

  function askPerson(asked: Pick<ApprovalRow, "id" | "callRowId" | "reason" | "expiresAt">, told: JsonObject): void {
    const row: ApprovalRow = {
      ...base(now()),
      ...asked,
      status: "pending",
      decidedAt: null,
      decidedBy: null,
      comment: null,
      editedInput: null,
    };
    rows.approvals.push(row);
    dirtyApprovals.set(row.id, row);
    writer.add(
      "approval-requested",
      { approvalId: row.id, ...told, reason: row.reason, expiresAt: row.expiresAt },
      rows.step.id,
    );
  }

  function addCall(
    { request, disposition, effect, error, approval }: PreparedCall,
    partId: string,
    index: number,
    at: number,
  ): void {
    const { step } = rows;
    const id = deriveId("call", step.executionId, request.callId);
    const call: CallRow = {
      ...base(at),
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
    writer.add("call-requested", { callId: call.callId, name: call.name, input: call.input, partId }, step.id);
    if (disposition === "refused") return settle(call, { status: "failed", error: error! });
    if (disposition === "ask-person") {
      putCall(move(call, "awaiting_approval"));
      const expiresAt = approval?.expiresInMs === undefined ? null : at + approval.expiresInMs;
      return askPerson(
        { id: deriveId("approval", id), callRowId: id, reason: approval?.reason ?? null, expiresAt },
        { callId: call.callId, name: call.name, input: call.input, about: "consent" },
      );
    }
    const running = move(call, "running");
    if (disposition === "run") return putCall(running);
    settle(running, ownedResult(request.result!));
  }

  function closeQuestion(call: CallRow, status: "expired" | "cancelled"): void {
    const approval = rows.approvals.find((row) => row.callRowId === call.id && row.status === "pending");
    if (approval === undefined) return;
    const closed: ApprovalRow = { ...approval, status, updatedAt: now() };
    rows.approvals[rows.approvals.indexOf(approval)] = closed;
    dirtyApprovals.set(closed.id, closed);
    writer.add("approval-changed", { approvalId: closed.id, callId: call.callId, status }, call.stepId);
  }
}

/** When the first of the approvals that nobody has decided expires. */
export function earliestExpiry(approvals: readonly ApprovalRow[]): number | null {
  const expiries = approvals.flatMap(({ status, expiresAt }) =>
    status === "pending" && expiresAt !== null ? [expiresAt] : [],
  );
  return expiries.length === 0 ? null : Math.min(...expiries);
}

function stepOutcome(
  status: "completed" | "failed" | "cancelled" | "incomplete",
): "completed" | "failed" | "cancelled" {
  return status === "incomplete" ? "completed" : status;
}
