import { callStates, executionStates, isTerminal, itemStates, stepStates } from "../states.ts";
import type { ContextBundle } from "../store.ts";

/** Something that is wrong with the rows of a context. */
export interface GraphProblem {
  /** Stable name of the broken rule, e.g. `part-without-item`. */
  rule: string;
  /** The row that breaks it. */
  id: string;
  detail: string;
}

/**
 * Checks that the rows of one context fit together: every link leads somewhere, orders have no gaps, and nothing is
 * pending that no live execution will settle. An empty answer means that all is well.
 *
 * @param options - `settled`: expect that no execution is queued, running or waiting. @defaultValue false
 */
export function verifyGraph(bundle: ContextBundle, options: { settled?: boolean } = {}): GraphProblem[] {
  const problems: GraphProblem[] = [];
  const broken = (rule: string, id: string, detail: string) => void problems.push({ rule, id, detail });
  const items = new Map(bundle.items.map((row) => [row.id, row]));
  const executions = new Map(bundle.executions.map((row) => [row.id, row]));
  const steps = new Map(bundle.steps.map((row) => [row.id, row]));
  const parts = new Map(bundle.parts.map((row) => [row.id, row]));
  const { context, thread } = bundle;

  if (context.threadId !== thread.id)
    broken("context-without-thread", context.id, `it names thread ${context.threadId}`);
  const open = bundle.executions.filter(({ status }) => status === "running" || status === "waiting");
  if (open.length > 1) broken("two-open-executions", context.id, open.map(({ id }) => id).join(", "));
  if ((context.currentExecutionId ?? undefined) !== open[0]?.id)
    broken("current-execution", context.id, `it names ${context.currentExecutionId}, open is ${open[0]?.id ?? "none"}`);
  const expected = open[0] === undefined ? ["open", "closed"] : [open[0].status];
  if (!expected.includes(context.status))
    broken("context-status", context.id, `it is ${context.status}, not ${expected.join(" or ")}`);

  const seqs = bundle.items.flatMap(({ seq }) => (seq === null ? [] : [seq]));
  if (new Set(seqs).size !== seqs.length) broken("item-order", context.id, "two items share a sequence number");
  if (Math.max(0, ...seqs) > context.seq)
    broken("item-order", context.id, "an item is ahead of the context's sequence");
  (bundle.journal ?? []).reduce((last, { seq }) => {
    if (seq <= last) broken("journal-order", context.id, `${seq} after ${last}`);
    return seq;
  }, 0);

  for (const row of bundle.items) {
    if (row.contextId !== context.id) broken("item-without-context", row.id, row.contextId);
    const execution = row.executionId === null ? undefined : executions.get(row.executionId);
    if (row.executionId !== null && execution === undefined) broken("item-without-execution", row.id, row.executionId);
    const live = execution !== undefined && !isTerminal(executionStates, execution.status);
    if (!live && !isTerminal(itemStates, row.status)) broken("item-pending", row.id, row.status);
    // One that was cancelled before it ran has no place; one that ran has heard everything that was meant for it.
    const neverRan = execution?.status === "cancelled" && execution.startedAt === null;
    if (row.seq === null && !neverRan && !live)
      broken("item-without-place", row.id, `its execution is ${execution?.status ?? "none"}`);
  }
  for (const row of bundle.executions) {
    if (!items.has(row.triggerItemId)) broken("execution-without-trigger", row.id, row.triggerItemId);
    if (row.startedAt !== null && !items.has(row.reactionItemId))
      broken("execution-without-reaction", row.id, row.reactionItemId);
    if (options.settled === true && !isTerminal(executionStates, row.status))
      broken("execution-pending", row.id, row.status);
    if (isTerminal(executionStates, row.status) !== (row.endedAt !== null))
      broken("execution-end", row.id, `${row.status}, ended at ${row.endedAt}`);
  }
  for (const row of bundle.steps) {
    const execution = executions.get(row.executionId);
    if (execution === undefined) broken("step-without-execution", row.id, row.executionId);
    else if (isTerminal(executionStates, execution.status) && !isTerminal(stepStates, row.status))
      broken("step-pending", row.id, row.status);
  }
  const indexes = new Map<string, number[]>();
  for (const row of bundle.parts) {
    if (!items.has(row.itemId)) broken("part-without-item", row.id, row.itemId);
    if (row.stepId !== null && !steps.has(row.stepId)) broken("part-without-step", row.id, row.stepId);
    indexes.set(row.itemId, [...(indexes.get(row.itemId) ?? []), row.index]);
  }
  for (const [itemId, found] of indexes) {
    if (found.sort((a, b) => a - b).some((index, i) => index !== i)) broken("part-order", itemId, found.join(","));
  }
  for (const row of bundle.calls) {
    const step = steps.get(row.stepId);
    const part = parts.get(row.partId);
    if (step === undefined) broken("call-without-step", row.id, row.stepId);
    if (part?.content.kind !== "action") broken("call-without-part", row.id, row.partId);
    const execution = executions.get(row.executionId);
    const done = isTerminal(callStates, row.status) || row.status === "interrupted";
    if (execution !== undefined && isTerminal(executionStates, execution.status) && !done)
      broken("call-pending", row.id, row.status);
    if (part?.content.kind === "action" && done && part.content.status === undefined)
      broken("call-not-merged", row.id, row.status);
  }
  for (const row of bundle.approvals ?? []) {
    const execution = executions.get(row.executionId);
    if (execution !== undefined && isTerminal(executionStates, execution.status) && row.status === "pending")
      broken("approval-pending", row.id, row.status);
  }
  for (const row of bundle.triggers ?? []) {
    if (!executions.has(row.executionId)) broken("trigger-without-execution", row.triggerId, row.executionId);
  }
  return problems;
}
