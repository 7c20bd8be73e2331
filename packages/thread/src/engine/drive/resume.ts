import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { CallRow } from "../../store/rows.ts";
import type { ExecutionGraph, Snapshot, ThreadStore } from "../../store/store.ts";
import { currentState } from "../rows/state.ts";
import { asksWhatHappened } from "../turn/outcome-question.ts";
import { isOwned } from "../turn/owned-calls.ts";
import type { TurnRows } from "../rows/draft.ts";
import { callSignature } from "../turn/prepare-calls.ts";
import type { TurnCall, TurnState } from "../turn/turn-state.ts";
import type { ReloadedWork } from "../turn/running-turn.ts";

/**
 * Puts a turn that another process began back together, from its rows alone.
 *
 * @param options - `afterOutage`: this process left it because the store was away
 */
export function resumeWork(
  snapshot: Snapshot,
  active: ExecutionGraph,
  definition: AnyThreadDefinition,
  { afterOutage = false } = {},
): ReloadedWork {
  const step = active.steps.at(-1)!;
  const trigger = active.items.find(({ id }) => id === active.execution.triggerItemId)!;
  const reaction = active.items.find(({ id }) => id === active.execution.reactionItemId)!;
  const { cancelRequestedAt: _at, cancelRequest: _request, ...execution } = active.execution;
  const rows: TurnRows = {
    context: currentState(definition, snapshot.context),
    // Going on after a person's decision, or after the store was away, is no new attempt.
    execution: { ...execution, attempt: execution.attempt + (execution.status === "running" && !afterOutage ? 1 : 0) },
    trigger,
    reaction,
    step: { ...step, attempt: step.attempt + 1 },
    parts: active.parts,
    calls: active.calls,
    approvals: active.approvals,
  };
  const steered = active.items
    .filter((item) => item.kind === "trigger" && item.seq !== null && item.id !== trigger.id)
    .map((item) => ({ item, iteration: Number(item.metadata["heardAt"] ?? 0) }));
  return {
    rows,
    state: resumeState(active, definition),
    steered,
    handedOver: [],
    resumed: true,
    inboxSeq: snapshot.context.inboxSeq,
    waitedMs: 0,
  };
}

/** Milliseconds for which a turn has waited for people, by its journal. */
export async function timeWaited(
  store: ThreadStore,
  tenant: string,
  { execution, items }: ExecutionGraph,
  now: number,
): Promise<number> {
  const trigger = items.find(({ id }) => id === execution.triggerItemId)!;
  let waited = 0;
  let since: number | undefined;
  for (const { type, at, executionId } of await store.journal(tenant, execution.contextId, (trigger.seq ?? 1) - 1)) {
    if (executionId !== execution.id) continue;
    if (type === "execution-waiting") since = at;
    if (type !== "execution-resumed" || since === undefined) continue;
    waited += at - since;
    since = undefined;
  }
  return Math.max(0, waited + (since === undefined ? 0 : now - since));
}

/** What {@link decide} had in mind, derived from what was recorded. */
export function resumeState(graph: ExecutionGraph, definition: AnyThreadDefinition): TurnState {
  const step = graph.steps.at(-1)!;
  const calls = callsOf(graph, step.id);
  const signatures: Record<string, number> = {};
  for (const call of graph.calls) {
    const signature = callSignature(call.name, call.input);
    signatures[signature] = (signatures[signature] ?? 0) + 1;
  }
  const earlier = graph.steps.slice(0, -1);
  let failedSteps = 0;
  for (const { id } of earlier) {
    const made = callsOf(graph, id);
    if (made.length > 0) failedSteps = made.some(({ status }) => status === "succeeded") ? 0 : failedSteps + 1;
  }
  const required = definition.policy.requiredAction;
  const heard = new Set(graph.items.map(({ metadata }) => metadata["heardAt"]));
  return {
    phase: graph.execution.status === "waiting" ? "waiting" : calls.length === 0 ? "answering" : "acting",
    iteration: step.iteration,
    calls: calls.map((call) => ({
      ...toTurnCall(call),
      ...(isOwned(call, graph.parts) && { owned: true as const }),
      ...(asksWhatHappened(call, graph.approvals) && { asksPerson: true as const }),
    })),
    usage: graph.execution.usage,
    signatures,
    requiredDone: graph.calls.some(({ name, status }) => name === required && status === "succeeded"),
    failedSteps,
    // A step that ended without calls and was not the last was asked for again, unless new input came.
    reasks: earlier.filter(({ id, iteration }) => callsOf(graph, id).length === 0 && !heard.has(iteration + 1)).length,
    windowOpen: false,
  };
}

const callsOf = (graph: ExecutionGraph, stepId: string): CallRow[] =>
  graph.calls.filter((call) => call.stepId === stepId);

function toTurnCall(call: CallRow): TurnCall {
  return {
    callId: call.callId,
    name: call.name,
    signature: callSignature(call.name, call.input),
    effect: call.effect,
    status: call.status,
  };
}
