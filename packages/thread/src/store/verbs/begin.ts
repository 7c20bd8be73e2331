import { assertId, HebraError } from "@hebra/core";
import { executionStates, isTerminal } from "../states.ts";
import type { Begin, Begun } from "../store.ts";
import {
  contexts,
  executions,
  items,
  steps,
  threads,
  triggers,
  type StoredContext,
  type StoredExecution,
} from "../tables.ts";
import { arriving } from "./arrival.ts";
import { notAsked, patched, recorded } from "./commit.ts";
import { checkEvents, checkGuard, checkOwner, checkSettled, closed, crowded, guarded } from "./guard.ts";
import {
  encoded,
  finding,
  putting,
  readAll,
  setting,
  write,
  type Put,
  type Update,
  type Verb,
  type When,
} from "./op.ts";

/** How often to begin anew when others are faster. */
const ATTEMPTS = 200;

export function* begin(tenant: string, given: Begin): Verb<Begun> {
  checkBegin(given);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const begun = yield* attemptBegin(tenant, given);
    if (begun !== undefined) return begun;
  }
  throw crowded(given.context.id);
}

/** One look at what is there and one write; `undefined` when somebody wrote in between. */
function* attemptBegin(tenant: string, given: Begin): Verb<Begun | undefined> {
  const contextId = given.context.id;
  const trigger = finding(triggers, "key", [tenant, contextId, given.trigger.triggerId]);
  const [[found], [known], [first], [byId], [byKey], [host]] = yield* readAll(
    finding(contexts, "key", [tenant, contextId]),
    trigger,
    finding(executions, "byId", [tenant, { of: trigger, field: "executionId" }]),
    finding(threads, "key", [tenant, given.thread.id]),
    finding(threads, "byKey", [tenant, given.thread.key]),
    finding(executions, "byId", [tenant, given.guard === undefined ? (given.attachTo ?? null) : null]),
  );
  if (known !== undefined && found !== undefined) return duplicate(given, known, first, found);
  const context = found ?? fresh(given.context);
  if (context.threadId !== given.thread.id || byId?.key !== byKey?.key || (byId ?? byKey)?.id !== (byKey ?? byId)?.id)
    throw moved(given);
  checkSettled(context);
  if (context.status === "closed") throw closed(contextId);
  if (given.guard !== undefined) checkGuard(context, given.guard);
  const hears =
    host !== undefined &&
    host.contextId === contextId &&
    !isTerminal(executionStates, host.status) &&
    host.cancelRequestedAt === null;
  const turn =
    given.guard !== undefined
      ? running(tenant, given, context)
      : hears
        ? attached(tenant, given, context, host)
        : queued(tenant, given, context);
  const thread: { puts: Put[]; sets: Update[] } =
    byId === undefined
      ? { puts: putting(threads, tenant, [given.thread], "insert"), sets: [] }
      : given.thread.updatedAt > byId.updatedAt
        ? { puts: [], sets: [setting(threads, [tenant, byId.id], { updatedAt: given.thread.updatedAt })] }
        : { puts: [], sets: [] };
  const news = given.guard === undefined ? { notify: { tenant, contextId } } : {};
  const puts = [...thread.puts, ...turn.puts];
  if (found === undefined)
    yield* write({
      puts: [...puts, ...putting(contexts, tenant, [{ ...context, ...turn.changed }], "insert")],
      sets: thread.sets,
      ...news,
    });
  else {
    const when: When = {
      table: contexts,
      key: [tenant, contextId],
      conditions: unmoved(given, found, hears),
      fields: encoded(contexts, { ...turn.changed, importDigest: null }),
      returning: "seq",
    };
    const [written] = yield* write({ when, puts, sets: thread.sets, ...news });
    if (written === undefined) return undefined;
  }
  return {
    duplicate: false,
    attached: hears,
    execution: turn.execution,
    seq: turn.changed.seq ?? context.seq,
    inboxSeq: turn.changed.inboxSeq ?? context.inboxSeq,
  };
}

/**
 * That the context is still as it was when it was looked at; for a trigger that is attached, that its host has not
 * ended meanwhile.
 */
function unmoved(given: Begin, found: StoredContext, hears: boolean): When["conditions"] {
  return [
    ...(hears ? [{ field: "seq", is: "=" as const, value: found.seq }] : []),
    ...(given.guard === undefined
      ? [{ field: "inboxSeq", is: "=" as const, value: found.inboxSeq }]
      : guarded(given.guard)),
    { field: "importing", is: "=", value: 0 },
    { field: "status", is: "<>", value: "closed" },
  ];
}

interface Turn {
  execution: StoredExecution;
  changed: Partial<StoredContext>;
  puts: Put[];
}

/** The turn waits: trigger, its item and the execution take a place in the inbox. */
function queued(tenant: string, given: Begin, context: StoredContext): Turn {
  const inboxSeq = context.inboxSeq + 1;
  const execution: StoredExecution = { ...given.execution, inboxSeq, ...notAsked };
  const puts = [
    ...putting(triggers, tenant, [given.trigger], "insert"),
    ...putting(executions, tenant, [execution], "insert"),
    ...putting(
      items,
      tenant,
      given.items.map((item) => ({ ...item, seq: null })),
      "insert",
    ),
  ];
  return { execution, changed: { inboxSeq }, puts };
}

/** Another turn hears it: the trigger and its item take a place in the inbox. */
function attached(tenant: string, given: Begin, context: StoredContext, host: StoredExecution): Turn {
  const inboxSeq = context.inboxSeq + 1;
  const puts = [
    ...putting(triggers, tenant, [{ ...given.trigger, executionId: host.id }], "insert"),
    ...putting(
      items,
      tenant,
      given.items.map((item) => arriving(item, host.id, inboxSeq, given)),
      "insert",
    ),
  ];
  return { execution: host, changed: { inboxSeq }, puts };
}

/** The turn runs: a holder's write. */
function running(tenant: string, given: Begin, context: StoredContext): Turn {
  const events = given.events ?? [];
  const seq = checkEvents(tenant, context.id, context.seq, events);
  const execution: StoredExecution = { ...given.execution, ...notAsked };
  const puts = [
    ...putting(triggers, tenant, [given.trigger], "insert"),
    ...putting(executions, tenant, [execution], "insert"),
    ...putting(items, tenant, given.items, "insert"),
    ...putting(steps, tenant, given.steps),
    ...recorded(tenant, context.id, events),
  ];
  return { execution, changed: { ...patched(given.patch), seq, fence: given.guard!.fence }, puts };
}

/** What the trigger did the first time. */
function duplicate(
  given: Begin,
  trigger: { triggerId: string; digest: string; executionId: string },
  execution: StoredExecution | undefined,
  context: StoredContext,
): Begun {
  if (trigger.digest !== given.trigger.digest) {
    throw new HebraError(
      "TRIGGER_MISMATCH",
      `The trigger ${trigger.triggerId} was used before with another payload. Give each trigger an id of its own.`,
      {
        details: { contextId: context.id, triggerId: trigger.triggerId, executionId: trigger.executionId },
      },
    );
  }
  if (execution === undefined)
    throw new HebraError(
      "INTERNAL",
      `The trigger ${trigger.triggerId} names the execution ${trigger.executionId}, which is not there.`,
    );
  return {
    duplicate: true,
    attached: execution.triggerId !== trigger.triggerId,
    execution,
    seq: context.seq,
    inboxSeq: context.inboxSeq,
  };
}

/** A context as it becomes: the store alone gives its numbers. */
export function fresh(context: Begin["context"]): StoredContext {
  return { ...context, seq: 0, inboxSeq: 0, fence: 0, importing: false, importDigest: null };
}

/** Checks a begin by itself, before anything is read. */
export function checkBegin(given: Begin): void {
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
  if (!agree)
    throw new HebraError(
      "INTERNAL",
      `The rows of the turn ${execution.id} do not name one thread, context, trigger and execution.`,
    );
  checkOwner(items, context.id, given.items);
  checkOwner(steps, context.id, given.steps);
}

export function moved(given: Begin): HebraError {
  return new HebraError(
    "VERSION_CONFLICT",
    `The thread ${given.thread.key} has other ids than ${given.thread.id} and ${given.context.id}. Load it again and repeat.`,
    {
      details: { threadId: given.thread.id, contextId: given.context.id },
    },
  );
}
