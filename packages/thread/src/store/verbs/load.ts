import type { ApprovalRow, CallRow, ContextRow, PartRow, StepRow } from "../rows.ts";
import type { ExecutionGraph, QueuedExecution, Snapshot, ThreadRef } from "../store.ts";
import { visible } from "../codec.ts";
import { approvals, calls, contexts, executions, items, outbox, parts, steps, threads, type StoredContext, type StoredExecution } from "../tables.ts";
import { find, findOne, type Verb } from "./op.ts";
import { HebraError } from "@hebra/core";

/** The context that a reference means: a thread's main one, or any by its own id. */
export function* resolve(tenant: string, ref: ThreadRef): Verb<StoredContext | undefined> {
  if ("contextId" in ref) return yield* findOne(contexts, "key", [tenant, ref.contextId]);
  const thread = "id" in ref ? yield* findOne(threads, "key", [tenant, ref.id]) : yield* findOne(threads, "byKey", [tenant, ref.key]);
  return thread === undefined ? undefined : yield* findOne(contexts, "key", [tenant, thread.mainContextId]);
}

export function* load(tenant: string, ref: ThreadRef): Verb<Snapshot | undefined> {
  const context = yield* resolve(tenant, ref);
  return context === undefined ? undefined : yield* snapshot(tenant, context);
}

export function* snapshot(tenant: string, context: StoredContext): Verb<Snapshot> {
  const thread = yield* findOne(threads, "key", [tenant, context.threadId]);
  if (thread === undefined) throw new HebraError("INTERNAL", `The context ${context.id} names the thread ${context.threadId}, which is not there.`);
  return {
    thread,
    context: visible<ContextRow, StoredContext>(contexts, { ...context }),
    active: context.currentExecutionId === null ? undefined : yield* execution(tenant, context.currentExecutionId),
    queued: yield* queued(tenant, context.id),
    outbox: yield* find(outbox, "pending", [tenant, context.id]),
  };
}

function* queued(tenant: string, contextId: string): Verb<QueuedExecution[]> {
  const waiting = yield* find(executions, "queue", [tenant, contextId]);
  const found: QueuedExecution[] = [];
  for (const execution of waiting) {
    const trigger = yield* findOne(items, "key", [tenant, contextId, execution.triggerItemId]);
    if (trigger === undefined) throw new HebraError("INTERNAL", `The execution ${execution.id} has no trigger item.`);
    found.push({ execution, trigger });
  }
  return found;
}

export function* execution(tenant: string, executionId: string): Verb<ExecutionGraph | undefined> {
  const found = yield* findOne(executions, "byId", [tenant, executionId]);
  return found === undefined ? undefined : yield* graph(tenant, found);
}

export function* graph(tenant: string, execution: StoredExecution): Verb<ExecutionGraph> {
  const own = yield* find(items, "ofExecution", [tenant, execution.id]);
  return sortGraph({
    execution,
    items: own,
    steps: yield* find(steps, "ofExecution", [tenant, execution.id]),
    parts: yield* find(parts, "ofItem", [tenant], { anyOf: own.map((item) => item.id) }),
    calls: yield* find(calls, "ofExecution", [tenant, execution.id]),
    approvals: yield* find(approvals, "ofExecution", [tenant, execution.id]),
  });
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Parts in their places. */
export function sortParts(rows: PartRow[]): PartRow[] {
  return rows.sort((a, b) => a.index - b.index || byId(a, b));
}

/** Every list of an execution in the order that the port promises. */
export function sortGraph(graph: ExecutionGraph): ExecutionGraph {
  const iteration = new Map(graph.steps.map((step: StepRow) => [step.id, step.iteration]));
  const kinds = ["trigger", "reaction", "summary", "note"];
  graph.items.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || byId(a, b));
  graph.steps.sort((a: StepRow, b: StepRow) => a.iteration - b.iteration || byId(a, b));
  const place = new Map(graph.items.map((item, i) => [item.id, i]));
  graph.parts.sort((a, b) => place.get(a.itemId)! - place.get(b.itemId)! || a.index - b.index || byId(a, b));
  graph.calls.sort((a: CallRow, b: CallRow) => (iteration.get(a.stepId) ?? 0) - (iteration.get(b.stepId) ?? 0) || a.index - b.index || byId(a, b));
  graph.approvals.sort((a: ApprovalRow, b: ApprovalRow) => a.createdAt - b.createdAt || byId(a, b));
  return graph;
}
