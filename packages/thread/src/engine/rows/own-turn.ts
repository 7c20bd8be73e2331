import type { ExecutionRow, ItemRow, TriggerRow } from "../../store/rows.ts";
import { asItCame, wouldBegin } from "../../store/verbs/arrival.ts";
import { newExecution, newTriggerRow } from "./new-rows.ts";

/** Rows of a turn that waits in line. */
export interface OwnTurn {
  execution: ExecutionRow;
  trigger: TriggerRow;
  item: ItemRow;
}

/**
 * The turn of a message that had joined another's, in the place in line that it would have had by itself; nothing for
 * one of which an older build kept too little.
 */
export function ownTurn(tenant: string, item: ItemRow, at: number): OwnTurn | undefined {
  const own = wouldBegin(item);
  if (own === undefined || item.threadId === undefined) return undefined;
  const { triggerId, digest, definition, definitionVersion, correlation, inboxSeq } = own;
  const context = { id: item.contextId, threadId: item.threadId };
  const execution: ExecutionRow = {
    ...newExecution(
      tenant,
      context,
      { name: definition, version: definitionVersion },
      { id: triggerId, correlation },
      at,
    ),
    createdAt: item.createdAt,
    inboxSeq,
  };
  return {
    execution,
    trigger: newTriggerRow(execution, digest),
    item: { ...asItCame(item), executionId: execution.id, updatedAt: at },
  };
}
