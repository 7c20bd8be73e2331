import type { Changes, Committed, Guard, Snapshot } from "../store.ts";
import { ROW_VERSION } from "../rows.ts";
import { approvals, calls, contexts, executions, items, journal, outbox, parts, steps, type StoredContext, type StoredExecution } from "../tables.ts";
import { checkEvents, checkFence, checkGuard, checkOwner, checkSettled, closed, contextOf } from "./guard.ts";
import { put, set, type Verb } from "./op.ts";
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

/** Checks that every row is of this context. */
export function checkChanges(contextId: string, changes: Omit<Changes, "context" | "events">): void {
  checkOwner(items, contextId, changes.items);
  checkOwner(executions, contextId, changes.executions as readonly StoredExecution[] | undefined);
  checkOwner(steps, contextId, changes.steps);
  checkOwner(parts, contextId, changes.parts);
  checkOwner(calls, contextId, changes.calls);
  checkOwner(approvals, contextId, changes.approvals);
  checkOwner(outbox, contextId, changes.outbox);
}

export function* commit(tenant: string, contextId: string, guard: Guard, changes: Changes): Verb<Committed> {
  checkChanges(contextId, changes);
  const context = yield* contextOf(tenant, contextId, true);
  checkGuard(context, guard);
  checkSettled(context);
  if (context.status === "closed" && changes.context.status !== undefined) throw closed(contextId);
  const seq = checkEvents(tenant, contextId, context.seq, changes.events);
  yield* put(executions, tenant, (changes.executions ?? []).map((row) => ({ ...row, ...notAsked })));
  yield* put(items, tenant, changes.items ?? []);
  yield* put(steps, tenant, changes.steps ?? []);
  yield* put(parts, tenant, changes.parts ?? []);
  yield* put(calls, tenant, changes.calls ?? []);
  yield* put(approvals, tenant, changes.approvals ?? []);
  yield* put(outbox, tenant, changes.outbox ?? []);
  for (const id of changes.handedOver ?? []) {
    yield* set(outbox, [tenant, contextId, id], { status: "handed_over", updatedAt: changes.context.updatedAt });
  }
  yield* record(tenant, contextId, changes.events);
  yield* set(contexts, [tenant, contextId], { ...patched(changes.context), seq, fence: guard.fence, ...untouchedNoMore(context) });
  return { seq, inboxSeq: context.inboxSeq };
}

/** Forgets that the context held exactly what an import wrote. */
export function untouchedNoMore(context: StoredContext): Partial<StoredContext> {
  return context.importDigest === null ? {} : { importDigest: null };
}

/** Adds the events of one write to the journal. */
export function* record(tenant: string, contextId: string, events: Changes["events"]): Verb<void> {
  const last = events.at(-1);
  if (last === undefined) return;
  yield* put(journal, tenant, [{ v: ROW_VERSION, contextId, lastSeq: last.seq, events: [...events] }], "insert");
}

export function* takeOver(tenant: string, contextId: string, fence: number): Verb<Snapshot> {
  const context = yield* contextOf(tenant, contextId, true);
  checkFence(context, fence);
  checkSettled(context);
  if (fence !== context.fence) yield* set(contexts, [tenant, contextId], { fence, ...untouchedNoMore(context) });
  return yield* snapshot(tenant, { ...context, fence });
}
