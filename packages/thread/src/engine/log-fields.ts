import type { JsonValue } from "@hebra/core";
import type { ExecutionRow } from "../store/rows.ts";

/**
 * The run that a turn belongs to: the host's, of a workflow for instance; a turn that belongs to none is a run of its
 * own.
 */
export function runIdOf({ id, correlation }: ExecutionRow): string {
  const runId: JsonValue | undefined = correlation["runId"];
  return typeof runId === "string" && runId !== "" ? runId : id;
}

/** What every line of a turn's log says of where it belongs. */
export function logFieldsOf(
  tenant: string,
  execution: ExecutionRow,
): { tenant: string; contextId: string; executionId: string; runId: string } {
  return { tenant, contextId: execution.contextId, executionId: execution.id, runId: runIdOf(execution) };
}
