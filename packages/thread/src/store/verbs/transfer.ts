import { assertId, HebraError } from "@hebra/core";
import type { ContextRow, ThreadRow } from "../rows.ts";
import type { ContextBundle, Imported } from "../store.ts";
import {
  bundleCounts,
  bundleDigest,
  bundleMembers,
  currentBundle,
  inOrder,
  journalRows,
  rowNames,
  sortEvents,
} from "../bundle.ts";
import { visible } from "../codec.ts";
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
  threads,
  triggers,
  type StoredContext,
} from "../tables.ts";
import { notAsked } from "./commit.ts";
import { checkOwner } from "./guard.ts";
import { readJournal } from "./history.ts";
import { find, findOne, putting, setting, write, type Put, type Update, type Verb } from "./op.ts";

export function* announceImport(tenant: string, thread: ThreadRow, context: ContextRow): Verb<void> {
  checkAddress(thread, context);
  const known = yield* findOne(contexts, "key", [tenant, context.id], { lock: true });
  if (known !== undefined) return;
  const { puts } = yield* placeThread(tenant, thread);
  yield* write({
    puts: [...puts, ...putting(contexts, tenant, [{ ...context, importing: true, importDigest: null }], "insert")],
  });
}

export function* importContext(tenant: string, given: ContextBundle): Verb<Imported> {
  const bundle = currentBundle(given);
  checkBundle(bundle);
  const wanted = bundleDigest(bundle);
  const result = { counts: bundleCounts(bundle), digest: wanted };
  const known = yield* findOne(contexts, "key", [tenant, bundle.context.id], { lock: true });
  if (known !== undefined && !known.importing) {
    if (known.importDigest === wanted) return { changed: false, ...result };
    const present = (yield* exportContext(tenant, bundle.context.id))!;
    if (bundleDigest(present) === wanted) return { changed: false, ...result };
    checkReplaceable(known, present, bundle);
  }
  const thread = yield* placeThread(tenant, bundle.thread);
  const context = putting(contexts, tenant, [{ ...bundle.context, importing: false, importDigest: wanted }], "replace");
  yield* write({ puts: [...thread.puts, ...context, ...rowsOf(tenant, bundle)], sets: thread.sets });
  return { changed: true, ...result };
}

function rowsOf(tenant: string, bundle: ContextBundle): Put[] {
  const events = sortEvents(bundle.journal).map((event) => ({ ...event, tenant }));
  return [
    ...putting(
      executions,
      tenant,
      bundle.executions.map((row) => ({ ...notAsked, ...row })),
      "replace",
    ),
    ...putting(items, tenant, bundle.items, "replace"),
    ...putting(steps, tenant, bundle.steps, "replace"),
    ...putting(parts, tenant, bundle.parts, "replace"),
    ...putting(calls, tenant, bundle.calls, "replace"),
    ...putting(approvals, tenant, bundle.approvals, "replace"),
    ...putting(outbox, tenant, bundle.outbox, "replace"),
    ...putting(triggers, tenant, bundle.triggers, "replace"),
    ...putting(journal, tenant, journalRows(bundle.context.id, events), "replace"),
  ];
}

/** The thread becomes, or is brought up to the bundle. */
function* placeThread(tenant: string, thread: ThreadRow): Verb<{ puts: Put[]; sets: Update[] }> {
  const byKey = yield* findOne(threads, "byKey", [tenant, thread.key]);
  const byId = yield* findOne(threads, "key", [tenant, thread.id]);
  if ((byKey !== undefined && byKey.id !== thread.id) || (byId !== undefined && byId.key !== thread.key)) {
    throw conflict(`The key ${thread.key} and the id ${thread.id} belong to different threads here.`, {
      threadId: thread.id,
      key: thread.key,
    });
  }
  if (byId === undefined) return { puts: putting(threads, tenant, [thread], "insert"), sets: [] };
  const { name, mainContextId, createdAt, provenance } = thread;
  const updatedAt = Math.max(thread.updatedAt, byId.updatedAt);
  return {
    puts: [],
    sets: [setting(threads, [tenant, thread.id], { name, mainContextId, createdAt, provenance, updatedAt })],
  };
}

/** Only what an import wrote, and nobody since, may be written again, and no row may go. */
function checkReplaceable(known: StoredContext, present: ContextBundle, bundle: ContextBundle): void {
  const details = { contextId: known.id };
  if (known.importDigest === null) {
    throw conflict(`The context ${known.id} holds rows that no import wrote. Import into an empty address.`, details);
  }
  for (const member of bundleMembers) {
    const coming = rowNames(bundle, member);
    for (const name of rowNames(present, member)) {
      if (!coming.has(name))
        throw conflict(
          `The context ${known.id} holds ${member} that the new bundle lacks (${name}). An import only adds and replaces.`,
          { ...details, member },
        );
    }
  }
  const last = Math.max(0, ...(bundle.journal ?? []).map((event) => event.seq));
  if ((present.journal ?? []).some((event) => event.seq > last))
    throw conflict(`The context ${known.id} holds events that the new bundle lacks.`, details);
}

function checkAddress(thread: ThreadRow, context: ContextRow): void {
  assertId(thread.id, "thread's id");
  assertId(thread.key, "thread's key");
  assertId(context.id, "context's id");
  if (context.threadId !== thread.id)
    throw conflict(`The context ${context.id} names the thread ${context.threadId}, not ${thread.id}.`, {
      contextId: context.id,
    });
}

function checkBundle(bundle: ContextBundle): void {
  const { id } = bundle.context;
  checkAddress(bundle.thread, bundle.context);
  checkOwner(items, id, bundle.items);
  for (const [table, rows] of [
    [executions, bundle.executions],
    [steps, bundle.steps],
    [parts, bundle.parts],
    [calls, bundle.calls],
    [approvals, bundle.approvals],
    [outbox, bundle.outbox],
  ] as const) {
    checkOwner(table, id, rows);
  }
  const known = new Set(bundle.items.map((item) => item.id));
  const turns = new Set(bundle.executions.map((execution) => execution.id));
  for (const part of bundle.parts)
    if (!known.has(part.itemId))
      throw conflict(`The part ${part.id} names the item ${part.itemId}, which the bundle lacks.`, { contextId: id });
  for (const row of [...bundle.steps, ...bundle.calls, ...(bundle.approvals ?? [])]) {
    if (!turns.has(row.executionId))
      throw conflict(`The row ${row.id} names the execution ${row.executionId}, which the bundle lacks.`, {
        contextId: id,
      });
  }
}

/**
 * Whole or not at all. @throws HebraError `SCHEMA_TOO_NEW` when a newer build has kept more in a row than this one
 * knows
 */
export function* exportContext(tenant: string, contextId: string): Verb<ContextBundle | undefined> {
  const whole = true;
  const context = yield* findOne(contexts, "key", [tenant, contextId], { whole });
  if (context === undefined) return undefined;
  const thread = yield* findOne(threads, "key", [tenant, context.threadId], { whole });
  if (thread === undefined)
    throw new HebraError(
      "INTERNAL",
      `The context ${contextId} names the thread ${context.threadId}, whose row is not there: rows were removed by other means than this store.`,
      { details: { contextId, threadId: context.threadId } },
    );
  const ownItems = yield* find(items, "ofContext", [tenant, contextId], { whole });
  const turns = yield* find(executions, "ofContext", [tenant, contextId], { whole });
  const itemIds = ownItems.map((item) => item.id);
  const turnIds = turns.map((turn) => turn.id);
  return inOrder({
    thread,
    context: visible<ContextRow, StoredContext>(contexts, context),
    items: ownItems,
    executions: turns,
    steps: yield* find(steps, "ofExecution", [tenant], { anyOf: turnIds, whole }),
    parts: yield* find(parts, "ofItem", [tenant], { anyOf: itemIds, whole }),
    calls: yield* find(calls, "ofExecution", [tenant], { anyOf: turnIds, whole }),
    approvals: yield* find(approvals, "ofExecution", [tenant], { anyOf: turnIds, whole }),
    outbox: yield* find(outbox, "ofContext", [tenant, contextId], { whole }),
    triggers: yield* find(triggers, "ofContext", [tenant, contextId], { whole }),
    journal: yield* readJournal(tenant, contextId, -1, Infinity),
  });
}

function conflict(message: string, details: Record<string, string>): HebraError {
  return new HebraError("IMPORT_CONFLICT", message, { details });
}
