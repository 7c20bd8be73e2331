import type { JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import type { ApprovalRow, ExecutionRow, ExecutionUsage, PartRow, StoredError } from "../../store/rows.ts";

/** How a turn came out, or that it waits for a person. */
export interface TurnResult<Output = JsonValue> {
  executionId: string;
  status: Exclude<ExecutionRow["status"], "queued" | "running">;
  /** `stop`, `max-iterations`, `error`, …; null while it waits. */
  reason: string | null;
  /** The text of the last step. */
  text: string;
  /** Everything that the turn answered, in order. */
  parts: TranscriptPart[];
  /** The structured output, when the definition asks for one and the turn has completed; else null. */
  output: Output | null;
  usage: ExecutionUsage;
  error: StoredError | null;
  /** Requests for consent that are open, and questions what became of a call (`isOutcomeQuestion`). */
  approvals: ApprovalRow[];
}

/** Reads a result off the rows of an execution that has ended or waits. */
export function turnResult(
  execution: ExecutionRow,
  parts: readonly PartRow[],
  approvals: readonly ApprovalRow[],
): TurnResult {
  const lastStep = Math.max(0, ...parts.map(({ content }) => content.step ?? 0));
  const text = parts
    .flatMap(({ content }) => (content.kind === "text" && (content.step ?? 0) === lastStep ? [content.text] : []))
    .join("");
  return {
    executionId: execution.id,
    status: execution.status as TurnResult["status"],
    reason: execution.outcome,
    text,
    parts: parts.map(({ content }) => content as TranscriptPart),
    output: execution.output,
    usage: execution.usage,
    error: execution.error,
    approvals: approvals.filter(({ status }) => status === "pending"),
  };
}
