import { HebraError } from "@hebra/core";
import type { ApprovalRow, CallRow, ContextRow, PartRow, StepRow, ThreadRow } from "../rows.ts";
import type { ExecutionGraph, QueuedExecution, Snapshot, ThreadRef } from "../store.ts";
import { visible } from "../codec.ts";
import type { Value } from "../table.ts";
import {
  approvals,
  calls,
  contexts,
  executions,
  items,
  outbox,
  parts,
  steps,
  threads,
  type StoredContext,
  type StoredExecution,
} from "../tables.ts";
import { byArrival } from "./arrival.ts";
import { finding, findOne, readAll, type Ref, type Verb } from "./op.ts";

/** All that belongs to the execution of an id, as finds: one moment, however the adapter runs them. */
function graphOf(tenant: string, executionId: Value | Ref) {
  const own = finding(items, "ofExecution", [tenant, executionId]);
  return [
    finding(executions, "byId", [tenant, executionId]),
    own,
    finding(steps, "ofExecution", [tenant, executionId]),
    finding(parts, "ofItem", [tenant], { anyOf: { of: own, field: "id" } }),
    finding(calls, "ofExecution", [tenant, executionId]),
    finding(approvals, "ofExecution", [tenant, executionId]),
  ] as const;
}

export function* snapshot(tenant: string, ref: ThreadRef): Verb<Snapshot | undefined> {
  const addressed =
    "contextId" in ref
      ? undefined
      : "id" in ref
        ? finding(threads, "key", [tenant, ref.id])
        : finding(threads, "byKey", [tenant, ref.key]);
  const one = finding(contexts, "key", [
    tenant,
    "contextId" in ref ? ref.contextId : { of: addressed!, field: "mainContextId" },
  ]);
  const waiting = finding(executions, "queue", [tenant, { of: one, field: "id" }]);
  const [[context], [thread], queue, triggers, late, [execution], ...rest] = yield* readAll(
    one,
    finding(threads, "key", [tenant, { of: one, field: "threadId" }]),
    waiting,
    finding(items, "ofExecution", [tenant], { anyOf: { of: waiting, field: "id" } }),
    finding(outbox, "pending", [tenant, { of: one, field: "id" }]),
    ...graphOf(tenant, { of: one, field: "currentExecutionId" }),
  );
  if (context === undefined) return undefined;
  if (thread === undefined)
    throw new HebraError(
      "INTERNAL",
      `The context ${context.id} names the thread ${context.threadId}, which is not there.`,
    );
  const byId = new Map(triggers.map((item) => [item.id, item]));
  const queued = queue.map((turn): QueuedExecution => {
    const trigger = byId.get(turn.triggerItemId);
    if (trigger === undefined) throw new HebraError("INTERNAL", `The execution ${turn.id} has no trigger item.`);
    const more = triggers.filter((item) => item.executionId === turn.id && item.id !== trigger.id);
    return { execution: turn, trigger, attached: more.sort(byArrival) };
  });
  const active = execution === undefined ? undefined : graph(execution, ...rest);
  return { thread, context: visible<ContextRow, StoredContext>(contexts, context), active, queued, outbox: late };
}

/** The thread that a reference means: by a context's id, the one that the context is of. */
export function* addressed(tenant: string, ref: ThreadRef): Verb<ThreadRow | undefined> {
  if ("key" in ref) return yield* findOne(threads, "byKey", [tenant, ref.key]);
  if ("id" in ref) return yield* findOne(threads, "key", [tenant, ref.id]);
  const context = yield* findOne(contexts, "key", [tenant, ref.contextId]);
  return context === undefined ? undefined : yield* findOne(threads, "key", [tenant, context.threadId]);
}

export function* execution(tenant: string, executionId: string): Verb<ExecutionGraph | undefined> {
  const [[found], ...rest] = yield* readAll(...graphOf(tenant, executionId));
  return found === undefined ? undefined : graph(found, ...rest);
}

function graph(
  execution: StoredExecution,
  ...[own, steps, parts, calls, approvals]: [ExecutionGraph["items"], StepRow[], PartRow[], CallRow[], ApprovalRow[]]
): ExecutionGraph {
  return sortGraph({ execution, items: own, steps, parts, calls, approvals });
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Parts in their places. */
export function sortParts(rows: PartRow[]): PartRow[] {
  return rows.sort((a, b) => a.index - b.index || byId(a, b));
}

/** Every list of an execution in the order that the port promises. */
export function sortGraph(graph: ExecutionGraph): ExecutionGraph {
  const iteration = new Map(graph.steps.map((step) => [step.id, step.iteration]));
  const kinds = ["trigger", "reaction", "summary", "note"];
  graph.items.sort(
    (a, b) =>
      (a.seq ?? Infinity) - (b.seq ?? Infinity) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || byArrival(a, b),
  );
  graph.steps.sort((a, b) => a.iteration - b.iteration || byId(a, b));
  const place = new Map(graph.items.map((item, i) => [item.id, i]));
  graph.parts.sort((a, b) => place.get(a.itemId)! - place.get(b.itemId)! || a.index - b.index || byId(a, b));
  graph.calls.sort(
    (a, b) => (iteration.get(a.stepId) ?? 0) - (iteration.get(b.stepId) ?? 0) || a.index - b.index || byId(a, b),
  );
  graph.approvals.sort((a, b) => a.createdAt - b.createdAt || byId(a, b));
  return graph;
}
