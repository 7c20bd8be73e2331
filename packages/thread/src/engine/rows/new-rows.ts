import { deriveId, type JsonValue } from "@hebra/core";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import {
  ROW_VERSION,
  type ContextRow,
  type ExecutionRow,
  type ItemRow,
  type StepRow,
  type ThreadRow,
  type TriggerRow,
} from "../../store/rows.ts";
import type { ParsedTrigger } from "../trigger.ts";

/** The id of the thread that a key makes. */
export const threadIdOf = (tenant: string, key: string): string => deriveId("thread", tenant, key);

/** The id of a thread's first context. */
export const mainContextIdOf = (tenant: string, threadId: string): string =>
  deriveId("context", tenant, threadId, "main");

/** The id of the execution that a trigger makes: the same for every delivery. */
export const executionIdOf = (tenant: string, contextId: string, triggerId: string): string =>
  deriveId("execution", tenant, contextId, triggerId);

export function newThread(id: string, key: string, mainContextId: string, at: number): ThreadRow {
  return { v: ROW_VERSION, id, key, name: null, mainContextId, createdAt: at, updatedAt: at, provenance: null };
}

export function newContext(
  id: string,
  threadId: string,
  state: JsonValue,
  stateVersion: number,
  at: number,
): ContextRow {
  return {
    v: ROW_VERSION,
    id,
    threadId,
    status: "open",
    state,
    stateVersion,
    seq: 0,
    inboxSeq: 0,
    fence: 0,
    currentExecutionId: null,
    parentContextId: null,
    parentSeq: null,
    sessions: {},
    importing: false,
    createdAt: at,
    updatedAt: at,
    provenance: null,
  };
}

export function newExecution(
  tenant: string,
  context: Pick<ContextRow, "id" | "threadId">,
  definition: Pick<AnyThreadDefinition, "name" | "version">,
  trigger: Pick<ParsedTrigger, "id" | "correlation">,
  at: number,
): ExecutionRow {
  const id = executionIdOf(tenant, context.id, trigger.id);
  return {
    v: ROW_VERSION,
    id,
    threadId: context.threadId,
    contextId: context.id,
    triggerId: trigger.id,
    triggerItemId: deriveId("item", id, "trigger"),
    reactionItemId: deriveId("item", id, "reaction"),
    definition: definition.name,
    definitionVersion: definition.version,
    status: "queued",
    outcome: null,
    error: null,
    usage: { steps: 0, calls: 0 },
    output: null,
    attempt: 0,
    inboxSeq: null,
    correlation: trigger.correlation,
    wakeAt: null,
    createdAt: at,
    startedAt: null,
    endedAt: null,
    updatedAt: at,
    provenance: null,
  };
}

export function newTriggerRow(execution: ExecutionRow, digest: string): TriggerRow {
  return {
    v: ROW_VERSION,
    contextId: execution.contextId,
    triggerId: execution.triggerId,
    digest,
    executionId: execution.id,
    createdAt: execution.createdAt,
  };
}

export function newTriggerItem(execution: ExecutionRow, trigger: ParsedTrigger): ItemRow {
  return {
    ...itemOf(execution, execution.createdAt),
    id: execution.triggerItemId,
    kind: "trigger",
    role: trigger.role,
    channel: trigger.channel,
    status: "completed",
    content: trigger.content,
    metadata: trigger.metadata,
  };
}

export function newReactionItem(execution: ExecutionRow, channel: string, at: number): ItemRow {
  return {
    ...itemOf(execution, at),
    id: execution.reactionItemId,
    kind: "reaction",
    role: "assistant",
    channel,
    status: "pending",
    content: [],
    metadata: {},
  };
}

function itemOf(execution: ExecutionRow, at: number) {
  return {
    v: ROW_VERSION,
    threadId: execution.threadId,
    contextId: execution.contextId,
    executionId: execution.id,
    seq: null,
    createdAt: at,
    updatedAt: at,
    provenance: null,
  };
}

export function newStep(execution: ExecutionRow, iteration: number, at: number): StepRow {
  return {
    v: ROW_VERSION,
    id: deriveId("step", execution.id, iteration),
    contextId: execution.contextId,
    executionId: execution.id,
    iteration,
    status: "running",
    attempt: 1,
    usage: null,
    finishReason: null,
    error: null,
    createdAt: at,
    updatedAt: at,
    provenance: null,
  };
}
