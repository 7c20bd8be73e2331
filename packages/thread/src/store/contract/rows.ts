import { deriveId, digest, type JsonValue } from "@hebra/core";
import type { DurableEvent, DurableEventType } from "../../stream/envelope.ts";
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
  type ThreadRow,
} from "../rows.ts";
import type { Begin, Changes, Committed, ContextBundle, Guard, ThreadStore } from "../store.ts";

/** A moment from which the contract counts: 2026-01-01T00:00:00Z. */
export const T0 = 1_767_225_600_000;

const base = (at: number) => ({ v: ROW_VERSION, createdAt: at, updatedAt: at, provenance: null });

export function threadRow(key: string, over: Partial<ThreadRow> = {}): ThreadRow {
  return {
    ...base(T0),
    id: deriveId("thread", key),
    key,
    name: null,
    mainContextId: deriveId("context", key),
    ...over,
  };
}

export function contextRow(key: string, over: Partial<ContextRow> = {}): ContextRow {
  return {
    ...base(T0),
    id: deriveId("context", key),
    threadId: deriveId("thread", key),
    status: "open",
    state: { note: key },
    stateVersion: 1,
    seq: 0,
    inboxSeq: 0,
    fence: 0,
    currentExecutionId: null,
    parentContextId: null,
    parentSeq: null,
    sessions: {},
    importing: false,
    ...over,
  };
}

/** The ids of one turn. */
export interface TurnIds {
  key: string;
  contextId: string;
  executionId: string;
  triggerItemId: string;
  reactionItemId: string;
  triggerId: string;
}

export function turnIds(key: string, triggerId: string, contextId = deriveId("context", key)): TurnIds {
  const executionId = deriveId("execution", contextId, triggerId);
  return {
    key,
    contextId,
    executionId,
    triggerItemId: deriveId("trigger", executionId),
    reactionItemId: deriveId("reaction", executionId),
    triggerId,
  };
}

export function executionRow(ids: TurnIds, over: Partial<ExecutionRow> = {}): ExecutionRow {
  const { contextId, triggerId, triggerItemId, reactionItemId } = ids;
  return {
    ...base(T0),
    id: ids.executionId,
    threadId: deriveId("thread", ids.key),
    contextId,
    triggerId,
    triggerItemId,
    reactionItemId,
    definition: "desk",
    definitionVersion: 1,
    status: "running",
    outcome: null,
    error: null,
    usage: { steps: 0, calls: 0 },
    output: null,
    attempt: 1,
    inboxSeq: null,
    correlation: { run: "r1" },
    startedAt: T0,
    wakeAt: null,
    endedAt: null,
    ...over,
  };
}

export function itemRow(ids: TurnIds, kind: ItemRow["kind"], seq: number | null, over: Partial<ItemRow> = {}): ItemRow {
  const trigger = kind === "trigger";
  return {
    ...base(T0),
    id: trigger ? ids.triggerItemId : kind === "reaction" ? ids.reactionItemId : deriveId(kind, ids.executionId),
    threadId: deriveId("thread", ids.key),
    contextId: ids.contextId,
    executionId: kind === "summary" || kind === "note" ? null : ids.executionId,
    seq,
    kind,
    role: trigger ? "user" : "assistant",
    channel: "test",
    status: trigger ? "completed" : "pending",
    content: trigger ? [{ kind: "text", text: `question ${ids.triggerId}` }] : [],
    metadata: {},
    ...over,
  };
}

export function stepRow(ids: TurnIds, iteration: number, over: Partial<StepRow> = {}): StepRow {
  const { contextId, executionId } = ids;
  return {
    ...base(T0),
    id: deriveId("step", executionId, iteration),
    contextId,
    executionId,
    iteration,
    status: "running",
    attempt: 1,
    usage: null,
    finishReason: null,
    error: null,
    ...over,
  };
}

export function partRow(ids: TurnIds, index: number, text: string, over: Partial<PartRow> = {}): PartRow {
  const { contextId, executionId } = ids;
  return {
    ...base(T0),
    id: deriveId("part", executionId, index),
    contextId,
    executionId,
    stepId: deriveId("step", executionId, 0),
    itemId: ids.reactionItemId,
    index,
    kind: "text",
    content: { kind: "text", text },
    ...over,
  };
}

export function callRow(ids: TurnIds, index: number, over: Partial<CallRow> = {}): CallRow {
  const { contextId, executionId } = ids;
  return {
    ...base(T0),
    id: deriveId("call", executionId, index),
    contextId,
    executionId,
    stepId: deriveId("step", executionId, 0),
    callId: `call_${index}`,
    partId: deriveId("part", executionId, index),
    index,
    name: "lookup",
    input: { q: index },
    effect: "write",
    status: "requested",
    output: null,
    error: null,
    idempotencyKey: deriveId("key", executionId, index),
    attempt: 1,
    ...over,
  };
}

export function approvalRow(ids: TurnIds, index: number, over: Partial<ApprovalRow> = {}): ApprovalRow {
  const { contextId, executionId } = ids;
  return {
    ...base(T0),
    id: deriveId("approval", executionId, index),
    contextId,
    executionId,
    callRowId: deriveId("call", executionId, index),
    status: "pending",
    reason: "over the limit",
    expiresAt: T0 + 60_000,
    decidedAt: null,
    decidedBy: null,
    comment: null,
    editedInput: null,
    ...over,
  };
}

export function outboxRow(ids: TurnIds, index: number, over: Partial<OutboxRow> = {}): OutboxRow {
  const { contextId, executionId } = ids;
  return {
    ...base(T0),
    id: deriveId("outbox", executionId, index),
    contextId,
    executionId,
    index,
    payload: { text: "hi" },
    status: "pending",
    ...over,
  };
}

/** Durable events with the next sequence numbers. */
export function events(tenant: string, ids: TurnIds, after: number, ...types: DurableEventType[]): DurableEvent[] {
  return types.map((type, i) => ({
    v: 1,
    at: T0,
    tenant,
    contextId: ids.contextId,
    executionId: ids.executionId,
    type,
    data: { n: i },
    seq: after + 1 + i,
  }));
}

/** A begin with a guard: trigger and reaction take the next two sequence numbers. */
export function beginRunning(tenant: string, ids: TurnIds, guard: Guard, payload: JsonValue = ids.triggerId): Begin {
  const first = guard.expectedSeq + 1;
  return {
    thread: threadRow(ids.key),
    context: contextRow(ids.key, { id: ids.contextId }),
    trigger: {
      v: ROW_VERSION,
      contextId: ids.contextId,
      triggerId: ids.triggerId,
      digest: digest(payload),
      executionId: ids.executionId,
      createdAt: T0,
    },
    execution: executionRow(ids),
    items: [itemRow(ids, "trigger", first), itemRow(ids, "reaction", first + 1)],
    steps: [stepRow(ids, 0)],
    patch: { status: "running", currentExecutionId: ids.executionId, updatedAt: T0 },
    events: events(tenant, ids, guard.expectedSeq, "item-created", "item-created"),
    guard,
  };
}

/** A begin without a guard: the turn queues. */
export function beginQueued(ids: TurnIds, payload: JsonValue = ids.triggerId): Begin {
  return {
    thread: threadRow(ids.key),
    context: contextRow(ids.key, { id: ids.contextId }),
    trigger: {
      v: ROW_VERSION,
      contextId: ids.contextId,
      triggerId: ids.triggerId,
      digest: digest(payload),
      executionId: ids.executionId,
      createdAt: T0,
    },
    execution: executionRow(ids, { status: "queued", startedAt: null }),
    items: [itemRow(ids, "trigger", null)],
  };
}

/** The last commit of a turn with one text. */
export function ending(tenant: string, ids: TurnIds, after: number, reactionSeq: number, text = "answer"): Changes {
  return {
    context: { status: "open", currentExecutionId: null, updatedAt: T0 + 1 },
    executions: [executionRow(ids, { status: "completed", outcome: "stop", endedAt: T0 + 1, updatedAt: T0 + 1 })],
    items: [itemRow(ids, "reaction", reactionSeq, { status: "completed" })],
    steps: [stepRow(ids, 0, { status: "completed", finishReason: "stop", usage: { inputTokens: 3 } })],
    parts: [partRow(ids, 0, text)],
    events: events(tenant, ids, after, "part-created", "execution-ended"),
  };
}

/** A whole turn of two writes and four sequence numbers. */
export async function playTurn(
  store: ThreadStore,
  tenant: string,
  ids: TurnIds,
  seq: number,
  fence = 1,
  text = "answer",
): Promise<Committed> {
  await store.begin(tenant, beginRunning(tenant, ids, { fence, expectedSeq: seq }));
  return store.commit(
    tenant,
    ids.contextId,
    { fence, expectedSeq: seq + 2 },
    ending(tenant, ids, seq + 2, seq + 2, text),
  );
}

/** A bundle as an importer makes it: every row with provenance, everything ended. */
export function importedBundle(key: string, turns: number): ContextBundle {
  const provenance = (id: string) => ({ source: "contract", id });
  const bundle: ContextBundle = {
    thread: threadRow(key, { provenance: provenance("t") }),
    context: contextRow(key, { seq: turns * 2, provenance: provenance("c") }),
    items: [],
    executions: [],
    steps: [],
    parts: [],
    calls: [],
  };
  for (let i = 0; i < turns; i++) {
    const ids = turnIds(key, `m${i}`);
    const p = provenance(`m${i}`);
    bundle.items.push(
      itemRow(ids, "trigger", i * 2 + 1, { provenance: p }),
      itemRow(ids, "reaction", i * 2 + 2, { provenance: p, status: "completed" }),
    );
    bundle.executions.push(executionRow(ids, { status: "completed", outcome: "stop", endedAt: T0, provenance: p }));
    bundle.steps.push(stepRow(ids, 0, { status: "completed", provenance: p }));
    bundle.parts.push(partRow(ids, 0, `answer ${i}`, { provenance: p }));
    bundle.calls.push(callRow(ids, 0, { status: "succeeded", output: [], provenance: p }));
  }
  return bundle;
}
