import type { JsonValue } from "@hebra/core";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import { normalizeActions } from "../definition/normalize-action.ts";
import type { ThreadStore } from "../store/store.ts";
import { currentState } from "./state.ts";

/**
 * Checks the input that a person puts in place of the model's, while the person is still there to correct it. Where this
 * process has not got the definition, the process that runs the call checks it, as it does in any case.
 *
 * @throws HebraError `ACTION_INPUT_INVALID`
 */
export async function checkEdit(store: ThreadStore, definitions: ReadonlyMap<string, AnyThreadDefinition>, tenant: string, approvalId: string, input: JsonValue): Promise<void> {
  const approval = await store.approval(tenant, approvalId);
  const graph = approval === undefined ? undefined : await store.execution(tenant, approval.executionId);
  const call = graph?.calls.find(({ id }) => id === approval!.callRowId);
  const definition = graph === undefined ? undefined : definitions.get(graph.execution.definition);
  if (graph === undefined || call === undefined || definition === undefined) return;
  const { thread, context } = (await store.load(tenant, { contextId: call.contextId }))!;
  const services: unknown = await definition.services({ tenant, threadKey: thread.key, contextId: context.id, executionId: graph.execution.id });
  const { iteration } = graph.steps.find(({ id }) => id === call.stepId)!;
  const { state } = currentState(definition, context);
  await normalizeActions(definition.actions({ state, iteration, services })).get(call.name)?.parse(input);
}
