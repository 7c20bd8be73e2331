import type { ContextRow, ExecutionRow, ItemRow, StepRow } from "../../store/rows.ts";
import type { ContextPatch } from "../../store/store.ts";
import type { DurableEvent } from "../../stream/envelope.ts";
import { createEventWriter } from "./event-writer.ts";
import { newReactionItem, newStep } from "./new-rows.ts";

/** The rows with which a turn begins to run: the same whether it is new or was queued. */
export interface Start {
  execution: ExecutionRow;
  trigger: ItemRow;
  reaction: ItemRow;
  /** Further triggers that the turn hears from its start. */
  attached: ItemRow[];
  step: StepRow;
  patch: ContextPatch;
  events: DurableEvent[];
}

/** @param context - as it is in the store, its state in its present form. */
export function startExecution(
  tenant: string,
  queued: { execution: ExecutionRow; trigger: ItemRow; attached?: readonly ItemRow[] },
  context: ContextRow,
  at: number,
): Start {
  const execution: ExecutionRow = { ...queued.execution, status: "running", startedAt: at, updatedAt: at, attempt: 1 };
  const writer = createEventWriter({
    tenant,
    contextId: execution.contextId,
    executionId: execution.id,
    seq: context.seq,
    at,
  });
  // The document with which a line of history begins is found again by its first event.
  if (context.seq === (context.parentSeq ?? 0))
    writer.add("context-created", {
      threadId: context.threadId,
      state: context.state,
      stateVersion: context.stateVersion,
    });
  const trigger: ItemRow = { ...queued.trigger, seq: writer.nextSeq(), updatedAt: at };
  writer.add("item-created", itemData(trigger));
  const attached = (queued.attached ?? []).map((item): ItemRow => {
    const placed = { ...item, seq: writer.nextSeq(), metadata: { ...item.metadata, heardAt: 0 }, updatedAt: at };
    writer.add("item-created", itemData(placed));
    return placed;
  });
  const reaction: ItemRow = { ...newReactionItem(execution, trigger.channel, at), seq: writer.nextSeq() };
  writer.add("item-created", itemData(reaction));
  writer.add("execution-started", {
    triggerId: execution.triggerId,
    triggerItemId: trigger.id,
    reactionItemId: reaction.id,
    definition: execution.definition,
    definitionVersion: execution.definitionVersion,
  });
  const step = newStep(execution, 0, at);
  writer.add("step-started", { iteration: 0, attempt: 1 }, step.id);
  return {
    execution,
    trigger,
    reaction,
    attached,
    step,
    patch: { status: "running", currentExecutionId: execution.id, updatedAt: at },
    events: writer.events,
  };
}

/** What an `item-created` event tells. */
export function itemData(item: ItemRow) {
  return {
    itemId: item.id,
    kind: item.kind,
    role: item.role,
    channel: item.channel,
    status: item.status,
    content: [...item.content] as never,
    createdAt: item.createdAt,
  };
}
