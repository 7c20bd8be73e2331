import { HebraError, type JsonValue } from "@hebra/core";
import { storableLine, withStorableTexts } from "../../definition/storable.ts";
import type { ApprovalRow } from "../../store/rows.ts";
import { checkEdit, type Edit } from "../check-edit.ts";
import { definitionMissing } from "../drive/gone-definition.ts";
import { tenantOf, wakeContext, type EngineCore } from "../engine-core.ts";

const MAX_COMMENT = 20_000;

/** Who decides, and what is said of it. */
export interface DecideOptions {
  tenant?: string;
  by?: string;
  comment?: string;
}

/** Lets a waiting call run: see `Engine.approve`. */
export async function approve(
  core: EngineCore,
  approvalId: string,
  options: DecideOptions & { input?: JsonValue; output?: JsonValue },
): Promise<ApprovalRow> {
  const { input, output } = options;
  if (input !== undefined && output !== undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "approve: a call is given another `input` before it runs, or an `output` after it was cut off; not both.",
    );
  const edit = input !== undefined ? { input } : output !== undefined ? { output } : undefined;
  return decideApproval(core, approvalId, options, "approved", edit);
}

/** Refuses a waiting call: see `Engine.deny`. */
export function deny(core: EngineCore, approvalId: string, options: DecideOptions): Promise<ApprovalRow> {
  return decideApproval(core, approvalId, options, "denied");
}

async function decideApproval(
  core: EngineCore,
  approvalId: string,
  options: DecideOptions,
  decision: "approved" | "denied",
  edit?: Edit,
): Promise<ApprovalRow> {
  const { store, definitions, clock } = core;
  const tenant = tenantOf(options);
  const { by, comment } = options;
  await assertRunnable(core, tenant, approvalId);
  const editedInput = edit && (await checkEdit(store, definitions, tenant, approvalId, withStorableTexts(edit)));
  const row = await store.decideApproval(tenant, approvalId, {
    ...(editedInput === undefined ? { decision } : { decision: "approved", editedInput }),
    ...(by === undefined ? {} : { by: storableLine(by) }),
    ...(comment === undefined ? {} : { comment: storableLine(comment, MAX_COMMENT) }),
    at: clock.now(),
  });
  await wakeContext(core, tenant, row.contextId);
  return row;
}

/**
 * Refuses a decision that nobody could act on.
 *
 * @throws HebraError `APPROVAL_DECIDED` for a turn that was cancelled, `DEFINITION_MISSING`
 */
async function assertRunnable({ store, definitions, options }: EngineCore, tenant: string, id: string): Promise<void> {
  const approval = await store.approval(tenant, id);
  const graph = approval && (await store.execution(tenant, approval.executionId));
  if (graph === undefined || graph.execution.endedAt !== null) return;
  if (graph.execution.cancelRequestedAt !== null)
    throw new HebraError("APPROVAL_DECIDED", "The turn that asked for this approval was cancelled.", {
      details: { approvalId: id, executionId: graph.execution.id },
    });
  const { definition } = graph.execution;
  // Where other processes run the turns, they have the definitions.
  if (options.wake === undefined && !definitions.has(definition)) throw definitionMissing(definition);
}
