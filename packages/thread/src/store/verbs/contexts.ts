import { assertId, HebraError } from "@hebra/core";
import type { ContextRow, ItemRow } from "../rows.ts";
import { assertTransition, contextStates } from "../states.ts";
import { visible } from "../codec.ts";
import { contexts, items, threads, type StoredContext } from "../tables.ts";
import { contextOf } from "./guard.ts";
import { findOne, putting, setting, write, type Verb } from "./op.ts";

export function* fork(
  tenant: string,
  given: { from: string; atItemId: string; context: ContextRow },
): Verb<ContextRow> {
  assertId(given.context.id, "context's id");
  const parent = yield* contextOf(tenant, given.from, true);
  const { seq } = (yield* placeInLine(tenant, parent, given.atItemId)).item;
  const known = yield* findOne(contexts, "key", [tenant, given.context.id]);
  if (known !== undefined) {
    if (known.parentContextId === parent.id && known.parentSeq === seq)
      return visible<ContextRow, StoredContext>(contexts, known);
    throw new HebraError(
      "VERSION_CONFLICT",
      `The context ${known.id} is there already and is no fork of ${parent.id} at this item. Choose another id.`,
      {
        retryable: false,
        details: { contextId: known.id },
      },
    );
  }
  // The lease is the thread's, so a fence that is too old for the parent is too old for the fork.
  const born = {
    threadId: parent.threadId,
    parentContextId: parent.id,
    parentSeq: seq,
    seq,
    inboxSeq: 0,
    fence: parent.fence,
    importing: false,
    importDigest: null,
  };
  const context: StoredContext = { ...given.context, ...born };
  yield* write({
    puts: putting(contexts, tenant, [context], "insert"),
    sets: [setting(threads, [tenant, parent.threadId], { updatedAt: given.context.updatedAt })],
  });
  return visible<ContextRow, StoredContext>(contexts, context);
}

/** An item of a context's own or shared history, and the context that has it. */
export function* placeInLine(
  tenant: string,
  context: StoredContext,
  itemId: string,
): Verb<{ owner: StoredContext; item: ItemRow & { seq: number } }> {
  let current: StoredContext | undefined = context;
  let upTo = Number.MAX_SAFE_INTEGER;
  while (current !== undefined) {
    const item = yield* findOne(items, "key", [tenant, current.id, itemId]);
    if (item !== undefined && item.seq !== null && item.seq <= upTo)
      return { owner: current, item: { ...item, seq: item.seq } };
    if (current.parentContextId === null) break;
    upTo = Math.min(upTo, current.parentSeq ?? 0);
    current = yield* findOne(contexts, "key", [tenant, current.parentContextId]);
  }
  throw new HebraError("ITEM_NOT_FOUND", `The history of the context ${context.id} has no item ${itemId}.`, {
    details: { contextId: context.id, itemId },
  });
}

export function* setClosed(tenant: string, contextId: string, closed: boolean, at: number): Verb<void> {
  const context = yield* contextOf(tenant, contextId, true);
  const to = closed ? "closed" : "open";
  if (context.status === to) return;
  if (!closed && context.status !== "closed") {
    throw new HebraError(
      "ILLEGAL_TRANSITION",
      `The context ${contextId} is ${context.status}; only a closed one can be reopened.`,
      {
        details: { what: "context", from: context.status, to },
      },
    );
  }
  assertTransition(contextStates, "context", context.status, to);
  yield* write({ sets: [setting(contexts, [tenant, contextId], { status: to, updatedAt: at, importDigest: null })] });
}
