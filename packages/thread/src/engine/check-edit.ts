import { HebraError, type JsonValue } from "@hebra/core";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import { normalizeActions, type NormalAction } from "../definition/normalize-action.ts";
import type { ApprovalRow, CallRow } from "../store/rows.ts";
import type { ExecutionGraph, ThreadStore } from "../store/store.ts";
import { isOutcomeQuestion } from "./turn/outcome-question.ts";
import { currentState } from "./rows/state.ts";

/** What a person puts in place of the model's input or, of a call that was cut off, says that it gave. */
export type Edit = { input: JsonValue } | { output: JsonValue };

/**
 * Checks what a person adds to a decision, while the person is still there to correct it. Where this process has not
 * got the
 * definition, an input is checked by the process that runs the call, as it is in any case; an output then stands as it
 * is.
 *
 * @throws HebraError `ACTION_INPUT_INVALID`, `ACTION_OUTPUT_INVALID`, `INVALID_OPTIONS` for an input where an output is
 * asked for, or the other way round
 */
export async function checkEdit(
  store: ThreadStore,
  definitions: ReadonlyMap<string, AnyThreadDefinition>,
  tenant: string,
  approvalId: string,
  edit: Edit,
): Promise<JsonValue> {
  const given = "input" in edit ? edit.input : edit.output;
  const approval = await store.approval(tenant, approvalId);
  if (approval === undefined) return given;
  assertFits(approval, edit);
  const graph = await store.execution(tenant, approval.executionId);
  const call = graph?.calls.find(({ id }) => id === approval.callRowId);
  const action =
    graph === undefined || call === undefined ? undefined : await actionOf(store, definitions, tenant, graph, call);
  if (action === undefined) return given;
  if ("output" in edit) return action.checkOutput(given);
  await action.parse(given);
  return given;
}

function assertFits(approval: ApprovalRow, edit: Edit): void {
  if (isOutcomeQuestion(approval) === "output" in edit) return;
  const message =
    "output" in edit
      ? "asks for consent: give an `input`, if anything"
      : "asks what became of a call that was cut off: give its `output`, if anything";
  throw new HebraError("INVALID_OPTIONS", `The approval ${approval.id} ${message}.`, {
    details: { approvalId: approval.id },
  });
}

async function actionOf(
  store: ThreadStore,
  definitions: ReadonlyMap<string, AnyThreadDefinition>,
  tenant: string,
  graph: ExecutionGraph,
  call: CallRow,
): Promise<NormalAction | undefined> {
  const definition = definitions.get(graph.execution.definition);
  if (definition === undefined) return undefined;
  const { thread, context } = (await store.load(tenant, { contextId: call.contextId }))!;
  const services: unknown = await definition.services({
    tenant,
    threadKey: thread.key,
    contextId: context.id,
    executionId: graph.execution.id,
  });
  const { iteration } = graph.steps.find(({ id }) => id === call.stepId)!;
  const { state } = currentState(definition, context);
  return normalizeActions(definition.actions({ state, iteration, services })).get(call.name);
}
