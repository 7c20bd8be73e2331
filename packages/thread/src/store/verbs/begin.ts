import { assertId, HebraError } from "@hebra/core";
import type { Begin, Begun } from "../store.ts";
import { contexts, executions, items, steps, threads, triggers, type StoredContext, type StoredExecution } from "../tables.ts";
import { notAsked, patched, record, untouchedNoMore } from "./commit.ts";
import { checkEvents, checkGuard, checkOwner, checkSettled, closed } from "./guard.ts";
import { findOne, notify, put, set, type Verb } from "./op.ts";

export function* begin(tenant: string, given: Begin): Verb<Begun> {
  checkBegin(given);
  const contextId = given.context.id;
  const found = yield* findOne(contexts, "key", [tenant, contextId], { lock: true });
  if (found !== undefined) {
    const known = yield* duplicate(tenant, given, found);
    if (known !== undefined) return known;
  }
  const context = found ?? fresh(given.context);
  if (found !== undefined && found.threadId !== given.thread.id) throw moved(given);
  checkSettled(context);
  if (context.status === "closed") throw closed(contextId);
  if (given.guard !== undefined) checkGuard(context, given.guard);
  yield* addressed(tenant, given);
  const after = yield* given.guard === undefined ? queue(tenant, given, context) : run(tenant, given, given.guard, context);
  if (found === undefined) yield* put(contexts, tenant, [{ ...context, ...after.changed }], "insert");
  else yield* set(contexts, [tenant, contextId], { ...after.changed, ...untouchedNoMore(context) });
  if (given.guard === undefined) yield* notify(tenant, contextId);
  return { duplicate: false, execution: after.execution, seq: after.changed.seq ?? context.seq, inboxSeq: after.changed.inboxSeq ?? context.inboxSeq };
}

interface After {
  execution: StoredExecution;
  changed: Partial<StoredContext>;
}

/** The turn waits: trigger, its item and the execution take a place in the inbox. */
function* queue(tenant: string, given: Begin, context: StoredContext): Verb<After> {
  const inboxSeq = context.inboxSeq + 1;
  const execution: StoredExecution = { ...given.execution, inboxSeq, ...notAsked };
  yield* put(triggers, tenant, [given.trigger], "insert");
  yield* put(executions, tenant, [execution], "insert");
  yield* put(items, tenant, given.items.map((item) => ({ ...item, seq: null })), "insert");
  return { execution, changed: { inboxSeq } };
}

/** The turn runs: a holder's write. */
function* run(tenant: string, given: Begin, guard: NonNullable<Begin["guard"]>, context: StoredContext): Verb<After> {
  const events = given.events ?? [];
  const seq = checkEvents(tenant, context.id, context.seq, events);
  const execution: StoredExecution = { ...given.execution, ...notAsked };
  yield* put(triggers, tenant, [given.trigger], "insert");
  yield* put(executions, tenant, [execution], "insert");
  yield* put(items, tenant, given.items, "insert");
  yield* put(steps, tenant, given.steps ?? []);
  yield* record(tenant, context.id, events);
  return { execution, changed: { ...patched(given.patch), seq, fence: guard.fence } };
}

/** The thread becomes, or is marked as changed. */
function* addressed(tenant: string, given: Begin): Verb<void> {
  const byId = yield* findOne(threads, "key", [tenant, given.thread.id]);
  if (byId === undefined) {
    const byKey = yield* findOne(threads, "byKey", [tenant, given.thread.key]);
    if (byKey !== undefined) throw moved(given);
    yield* put(threads, tenant, [given.thread], "insert");
    return;
  }
  if (byId.key !== given.thread.key) throw moved(given);
  if (given.thread.updatedAt > byId.updatedAt) yield* set(threads, [tenant, byId.id], { updatedAt: given.thread.updatedAt });
}

/** What the trigger did the first time, if there was one. */
function* duplicate(tenant: string, given: Begin, context: StoredContext): Verb<Begun | undefined> {
  const trigger = yield* findOne(triggers, "key", [tenant, context.id, given.trigger.triggerId]);
  if (trigger === undefined) return undefined;
  if (trigger.digest !== given.trigger.digest) {
    throw new HebraError("TRIGGER_MISMATCH", `The trigger ${trigger.triggerId} was used before with another payload. Give each trigger an id of its own.`, {
      details: { contextId: context.id, triggerId: trigger.triggerId, executionId: trigger.executionId },
    });
  }
  const execution = yield* findOne(executions, "byId", [tenant, trigger.executionId]);
  if (execution === undefined) throw new HebraError("INTERNAL", `The trigger ${trigger.triggerId} names the execution ${trigger.executionId}, which is not there.`);
  return { duplicate: true, execution, seq: context.seq, inboxSeq: context.inboxSeq };
}

/** A context as it becomes: the store alone gives its numbers. */
export function fresh(context: Begin["context"]): StoredContext {
  return { ...context, seq: 0, inboxSeq: 0, fence: 0, importing: false, importDigest: null };
}

function checkBegin(given: Begin): void {
  const { thread, context, trigger, execution } = given;
  assertId(thread.id, "thread's id");
  assertId(thread.key, "thread's key");
  assertId(context.id, "context's id");
  assertId(trigger.triggerId, "trigger's id");
  const agree =
    context.threadId === thread.id &&
    trigger.contextId === context.id &&
    execution.contextId === context.id &&
    trigger.executionId === execution.id &&
    trigger.triggerId === execution.triggerId;
  if (!agree) throw new HebraError("INTERNAL", `The rows of the turn ${execution.id} do not name one thread, context, trigger and execution.`);
  checkOwner(items, context.id, given.items);
  checkOwner(steps, context.id, given.steps);
}

function moved(given: Begin): HebraError {
  return new HebraError("VERSION_CONFLICT", `The thread ${given.thread.key} has other ids than ${given.thread.id} and ${given.context.id}. Load it again and repeat.`, {
    details: { threadId: given.thread.id, contextId: given.context.id },
  });
}
