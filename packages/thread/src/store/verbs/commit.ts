import type { DurableEvent } from "../../stream/envelope.ts";
import type { Changes, Committed, Guard, Snapshot } from "../store.ts";
import { ROW_VERSION } from "../rows.ts";
import {
  approvals,
  calls,
  contexts,
  executions,
  items,
  journal,
  outbox,
  parts,
  steps,
  triggers,
  type StoredContext,
} from "../tables.ts";
import {
  checkEvents,
  checkFence,
  checkGuard,
  checkOwner,
  checkSettled,
  closed,
  contextOf,
  crowded,
  guarded,
} from "./guard.ts";
import { encoded, putting, setting, write, type Put, type Verb } from "./op.ts";
import { snapshot } from "./load.ts";

/** The columns of an execution that a put leaves alone. */
export const notAsked = { cancelRequestedAt: null, cancelRequest: null };

/** What a patch may say of a context; anything else is left out. */
export function patched(patch: Changes["context"] | undefined): Partial<StoredContext> {
  if (patch === undefined) return {};
  const { status, state, stateVersion, currentExecutionId, sessions, updatedAt } = patch;
  return {
    ...(status !== undefined && { status }),
    ...(state !== undefined && { state }),
    ...(stateVersion !== undefined && { stateVersion }),
    ...(currentExecutionId !== undefined && { currentExecutionId }),
    ...(sessions !== undefined && { sessions }),
    updatedAt,
  };
}

/**
 * The rows of a holder's write. @param heardAll - it has folded the whole inbox in. @throws HebraError for a row of
 * another context, or one that cannot be kept
 */
export function changedRows(
  tenant: string,
  contextId: string,
  changes: Omit<Changes, "context">,
  heardAll: boolean,
): Put[] {
  for (const [table, rows] of [
    [items, changes.items],
    [executions, changes.executions],
    [steps, changes.steps],
    [parts, changes.parts],
    [calls, changes.calls],
    [approvals, changes.approvals],
    [outbox, changes.outbox],
  ] as const) {
    checkOwner(table, contextId, rows);
  }
  checkOwner(
    triggers,
    contextId,
    changes.triggers?.map(({ triggerId: id, contextId: owner }) => ({ id, contextId: owner })),
  );
  return [
    // A holder that does not say how much of the inbox it has heard may have missed what would move the execution on.
    ...putting(
      executions,
      tenant,
      changes.executions?.map((row) => ({
        ...row,
        ...notAsked,
        ...(row.status === "waiting" && !heardAll && { wakeAt: 0 }),
      })),
    ),
    ...putting(items, tenant, changes.items),
    ...putting(steps, tenant, changes.steps),
    ...putting(parts, tenant, changes.parts),
    ...putting(calls, tenant, changes.calls),
    ...putting(approvals, tenant, changes.approvals),
    ...putting(outbox, tenant, changes.outbox),
    ...putting(triggers, tenant, changes.triggers),
    ...recorded(tenant, contextId, changes.events),
  ];
}

/** The events of one write, for the journal. */
export function recorded(tenant: string, contextId: string, events: readonly DurableEvent[]): Put[] {
  const last = events.at(-1);
  return last === undefined
    ? []
    : putting(journal, tenant, [{ v: ROW_VERSION, contextId, lastSeq: last.seq, events: [...events] }], "insert");
}

/** No row is both written and marked: not every database changes one row twice in one statement. */
function marked(changes: Changes): Changes {
  const { outbox: rows = [], handedOver = [], context } = changes;
  const own = new Set(rows.map(({ id }) => id).filter((id) => handedOver.includes(id)));
  if (own.size === 0) return changes;
  return {
    ...changes,
    outbox: rows.map((row) =>
      own.has(row.id) ? { ...row, status: "handed_over", updatedAt: context.updatedAt } : row,
    ),
    handedOver: handedOver.filter((id) => !own.has(id)),
  };
}

/**
 * One write, whose conditions the database checks as it writes; only when they do not hold is there anything to look
 * into.
 */
export function* commit(tenant: string, contextId: string, guard: Guard, given: Changes): Verb<Committed> {
  const changes = marked(given);
  const puts = changedRows(tenant, contextId, changes, guard.expectedInboxSeq !== undefined);
  const seq = checkEvents(tenant, contextId, guard.expectedSeq, changes.events);
  const { handedOver = [], context: patch } = changes;
  const sets =
    handedOver.length === 0
      ? []
      : [setting(outbox, [tenant, contextId], { status: "handed_over", updatedAt: patch.updatedAt }, handedOver)];
  const fields = encoded(contexts, { ...patched(patch), seq, fence: guard.fence, importDigest: null });
  const open = patch.status === undefined ? [] : [{ field: "status", is: "<>" as const, value: "closed" }];
  const conditions = [...guarded(guard), { field: "importing", is: "=" as const, value: 0 }, ...open];
  for (let attempt = 0; attempt < 10; attempt++) {
    const [written] = yield* write({
      when: { table: contexts, key: [tenant, contextId], conditions, fields, returning: "inboxSeq" },
      puts,
      sets,
    });
    if (written !== undefined) return { seq, inboxSeq: written[0] as number };
    const context = yield* contextOf(tenant, contextId, false);
    checkGuard(context, guard);
    checkSettled(context);
    if (context.status === "closed" && patch.status !== undefined) throw closed(contextId);
  }
  throw crowded(contextId);
}

export function* takeOver(tenant: string, contextId: string, fence: number): Verb<Snapshot> {
  const conditions = [
    { field: "fence", is: "<=" as const, value: fence },
    { field: "importing", is: "=" as const, value: 0 },
  ];
  for (let attempt = 0; attempt < 10; attempt++) {
    const fields = encoded(contexts, { fence, importDigest: null });
    const [written] = yield* write({
      when: { table: contexts, key: [tenant, contextId], conditions, fields, returning: "fence" },
    });
    if (written !== undefined) return (yield* snapshot(tenant, { contextId }))!;
    const context = yield* contextOf(tenant, contextId, false);
    checkFence(context, fence);
    checkSettled(context);
  }
  throw crowded(contextId);
}
