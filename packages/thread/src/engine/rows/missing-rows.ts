import type { ExecutionGraph } from "../../store/store.ts";
import type { TurnResult } from "./turn-result.ts";

/**
 * What the store lacks of a finished turn.
 *
 * @param result - as the process that ran the turn had it
 * @param graph - the same turn as it was read back
 * @returns names of what is missing; empty when every row is there
 */
export function missingRows(result: TurnResult, graph: ExecutionGraph | undefined): string[] {
  if (graph === undefined) return ["execution"];
  const { execution, items, steps, parts, calls } = graph;
  const has = (rows: readonly { readonly id: string }[], id: string) => rows.some((row) => row.id === id);
  const checks: readonly (readonly [name: string, whole: boolean])[] = [
    ["end of the execution", execution.endedAt !== null && execution.status === result.status],
    ["trigger", has(items, execution.triggerItemId)],
    ["reaction", execution.startedAt === null || has(items, execution.reactionItemId)],
    ["steps", steps.length >= result.usage.steps && parts.every(({ stepId }) => stepId === null || has(steps, stepId))],
    ["parts", parts.length >= result.parts.length],
    ["calls", calls.length >= result.usage.calls && calls.every(({ partId }) => has(parts, partId))],
  ];
  return checks.flatMap(([name, whole]) => (whole ? [] : [name]));
}
