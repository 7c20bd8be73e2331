import type { ReactorDecision } from "@hebra/reactor";
import type { CallRow, PartRow } from "../../store/rows.ts";
import type { TurnRows } from "../rows/draft.ts";

/** Whether a reactor runs a call itself: the part that shows the call says so. */
export function isOwned(call: CallRow, parts: readonly PartRow[]): boolean {
  return contentOf(call, parts)?.ownedByReactor === true;
}

/**
 * What a reactor is told of its own calls for which it asked consent: of those that may run until they have a result,
 * of the
 * others in the step after. Read off the rows, so that a turn that was cut off tells the same.
 */
export function decisionsFor({ step, parts, calls }: Pick<TurnRows, "step" | "parts" | "calls">): ReactorDecision[] {
  return calls.flatMap((call): ReactorDecision[] => {
    const { callId, status, input, error } = call;
    // Most calls of a long turn have their results: their parts are not even looked for.
    if (status !== "running" && status !== "denied" && status !== "expired") return [];
    const content = contentOf(call, parts);
    if (content?.ownedByReactor !== true) return [];
    if (status === "running") return [{ callId, decision: "approved", input }];
    if (content.step !== step.iteration - 1) return [];
    return [{ callId, decision: status, ...(error !== null && { error: error.message }) }];
  });
}

function contentOf(call: CallRow, parts: readonly PartRow[]) {
  const content = parts.find(({ id }) => id === call.partId)?.content;
  return content?.kind === "action" ? content : undefined;
}
