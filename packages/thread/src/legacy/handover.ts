import type { JsonObject } from "@hebra/core";
import type { ItemRow, PartRow } from "../store/rows.ts";
import { executionStates, isTerminal } from "../store/states.ts";
import type { ThreadRef, ThreadStore } from "../store/store.ts";
import { toUiPart } from "./ui-parts.ts";

/** Rows of the old story engine, by entity. */
export interface LegacyRows {
  context_events: JsonObject[];
  story_executions: JsonObject[];
  story_steps: JsonObject[];
  story_parts: JsonObject[];
}

/**
 * Everything that the new engine wrote in a thread, as rows of the old one, so that the old one can answer from a whole
 * history after a rollback; `catchUp` is the way back. Ids are kept: writing the rows by id, as often as one likes,
 * adds
 * each turn once. Turns that have not ended are left out; call again when they have.
 *
 * @returns no rows when the thread does not exist, or the new engine never served it.
 *
 * @example
 * ```ts
 * import { handover } from "@hebra/thread/legacy";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const rows = await handover(memoryStore(), { key: "customer-7" });
 * console.log(rows.context_events.length); // 0
 * ```
 */
export async function handover(store: ThreadStore, address: ThreadRef & { tenant?: string }): Promise<LegacyRows> {
  const { tenant = "default" } = address;
  const rows: LegacyRows = { context_events: [], story_executions: [], story_steps: [], story_parts: [] };
  const snapshot = await store.load(tenant, address);
  const bundle = snapshot === undefined ? undefined : await store.export(tenant, snapshot.context.id);
  if (bundle === undefined) return rows;
  const ended = new Set(
    bundle.executions
      .filter((row) => row.provenance === null && isTerminal(executionStates, row.status))
      .map(({ id }) => id),
  );
  const mine = (row: { executionId: string | null; provenance: unknown }) =>
    row.provenance === null && row.executionId !== null && ended.has(row.executionId);
  const parts = bundle.parts.filter(mine).sort((a, b) => a.index - b.index);

  const partsOf = new Map<string, PartRow[]>();
  for (const part of parts) partsOf.set(part.itemId, [...(partsOf.get(part.itemId) ?? []), part]);
  // The old engine knows no order but time. Ours is the sequence: where clocks disagree with it, time gives way.
  let last = 0;
  for (const item of bundle.items.filter(({ seq }) => seq !== null).sort((a, b) => a.seq! - b.seq!)) {
    last = mine(item) ? Math.max(item.createdAt, last + 1) : Math.max(item.createdAt, last);
    if (mine(item)) rows.context_events.push(eventRow(item, partsOf.get(item.id) ?? [], last));
  }
  const handed = new Set(rows.context_events.map(({ id }) => id));
  for (const row of bundle.executions) {
    // One that was cancelled before it ran has no reaction, and the old engine knows no turn without.
    if (!ended.has(row.id) || !handed.has(row.reactionItemId)) continue;
    rows.story_executions.push({
      id: row.id,
      context: row.contextId,
      trigger: row.triggerItemId,
      reaction: row.reactionItemId,
      status: row.status === "incomplete" ? "completed" : row.status === "cancelled" ? "failed" : row.status,
      createdAt: iso(row.createdAt),
      updatedAt: iso(row.endedAt ?? row.updatedAt),
    });
  }
  for (const step of bundle.steps.filter(mine)) {
    const calls = bundle.calls.filter(({ stepId }) => stepId === step.id);
    rows.story_steps.push({
      id: step.id,
      execution: step.executionId,
      iteration: step.iteration,
      status: step.status === "cancelled" ? "failed" : step.status,
      toolCalls: calls.map(({ callId, name, input }) => ({ toolCallId: callId, toolName: name, args: input })),
      toolExecutionResults: calls.map(({ callId, status, output, error }) =>
        status === "succeeded"
          ? { toolCallId: callId, success: true, output }
          : { toolCallId: callId, success: false, errorText: error?.message ?? status },
      ),
      ...(step.error === null ? {} : { errorText: step.error.message }),
      createdAt: iso(step.createdAt),
      updatedAt: iso(step.updatedAt),
    });
  }
  const places = new Map<string, number>();
  for (const part of parts) {
    if (part.stepId === null) continue;
    const index = places.get(part.stepId) ?? 0;
    places.set(part.stepId, index + 1);
    rows.story_parts.push({
      id: part.id,
      key: `${part.stepId}:${index}`,
      step: part.stepId,
      idx: index,
      type: String(toUiPart(part.content)["type"]),
      part: toUiPart(part.content),
      createdAt: iso(part.createdAt),
      updatedAt: iso(part.updatedAt),
    });
  }
  return rows;
}

function eventRow(item: ItemRow, parts: readonly PartRow[], createdAt: number): JsonObject {
  const content: readonly PartRow["content"][] = parts.length > 0 ? parts.map((part) => part.content) : item.content;
  return {
    id: item.id,
    context: item.contextId,
    ...(item.executionId === null ? {} : { execution: item.executionId }),
    type: item.role === "user" ? "input_text" : item.role === "system" ? "system" : "output_text",
    channel: item.channel,
    status: item.status === "cancelled" ? "failed" : item.status,
    content: { parts: content.map(toUiPart) },
    createdAt: iso(createdAt),
    updatedAt: iso(Math.max(createdAt, item.updatedAt)),
  };
}

const iso = (at: number) => new Date(at).toISOString();
