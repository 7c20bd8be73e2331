import { deriveId, errorMessage, HebraError } from "@hebra/core";
import { commonPrefix, reaches } from "../caller.ts";
import { executionIn, keyOf, threadAt } from "../lookup.ts";
import { json } from "../problem.ts";
import { route, type Host } from "../route.ts";
import {
  cancelAnswer,
  cancelBody,
  deletedAnswer,
  forkAnswer,
  forkBody,
  itemsAnswer,
  itemsQuery,
  listQuery,
  noQuery,
  threadAnswer,
  threadQuery,
  threadsAnswer,
} from "../schemas.ts";
import { forkView, itemView, listedView, threadView } from "../views.ts";

/** Rows of a page that does not say how many. */
const USUAL_PAGE = 50;

export const listThreads = route({
  method: "GET",
  path: "/threads",
  operationId: "listThreads",
  summary: "Lists the caller's conversations, newest change first. A page may be short and have a cursor all the same.",
  right: "read",
  query: listQuery,
  answers: { 200: { description: "A page.", schema: threadsAnswer } },
  async serve({ host, caller, query }) {
    const { limit = USUAL_PAGE, cursor, status, definition, q } = query;
    const keyPrefix = commonPrefix(caller);
    const page = await host.store.list(caller.tenant, {
      limit: Math.min(limit, host.limits.pageRows),
      ...(cursor === undefined ? {} : { cursor }),
      ...(keyPrefix === "" ? {} : { keyPrefix }),
      ...(status === undefined ? {} : { status }),
      ...(definition === undefined ? {} : { definition }),
      ...(q === undefined ? {} : { q }),
    });
    const threads = page.rows.filter(({ key }) => reaches(caller, key)).map(listedView);
    return json(200, { threads, cursor: page.cursor ?? null });
  },
});

export const getThread = route({
  method: "GET",
  path: "/threads/{key}",
  operationId: "getThread",
  summary: "A conversation as it stands: running and queued turns, and pending approvals.",
  right: "read",
  query: threadQuery,
  answers: { 200: { description: "The conversation.", schema: threadAnswer } },
  serve: async (call) =>
    json(200, threadView(await threadAt(call, call.query.contextId), call.caller.can.includes("operate"))),
});

export const getItems = route({
  method: "GET",
  path: "/threads/{key}/items",
  operationId: "getItems",
  summary:
    "A page of the history, oldest first: the newest items, those before `before`, or those after `after`. Both are sequence numbers.",
  right: "read",
  query: itemsQuery,
  answers: { 200: { description: "A page; an empty one is beyond the end.", schema: itemsAnswer } },
  async serve(call) {
    const { host, caller, query } = call;
    const { before, after, limit = USUAL_PAGE, contextId } = query;
    const { context } = await threadAt(call, contextId);
    const items = await host.store.history(caller.tenant, context.id, {
      limit: Math.min(limit, host.limits.pageRows),
      before,
      after,
    });
    return json(200, { items: items.map(itemView) });
  },
});

export const cancelTurn = route({
  method: "POST",
  path: "/threads/{key}/cancel",
  operationId: "cancelTurn",
  summary: "Cancels a turn: the one that is named, else the one that runs or waits.",
  right: "write",
  query: noQuery,
  body: cancelBody,
  answers: { 200: { description: "The turns that were asked to stop.", schema: cancelAnswer } },
  async serve(call) {
    const { host, caller, body } = call;
    const snapshot = await threadAt(call, body.contextId);
    const named = body.executionId && (await executionIn(call, snapshot, body.executionId));
    const execution = named ? named.execution : snapshot.active?.execution;
    if (execution === undefined || execution.endedAt !== null) return json(200, { executionIds: [] });
    await host.engine.cancel(execution.id, {
      tenant: caller.tenant,
      // Whoever names no turn wants the conversation to stop.
      joined: named === undefined || named === "",
      ...(caller.user === undefined ? {} : { by: caller.user }),
      ...(body.reason === undefined ? {} : { reason: body.reason }),
    });
    return json(200, { executionIds: [execution.id] });
  },
});

export const forkThread = route({
  method: "POST",
  path: "/threads/{key}/fork",
  operationId: "forkThread",
  summary: "Adds a line of history that shares this one's up to an item. The same `id` again is the same fork.",
  right: "write",
  query: noQuery,
  body: forkBody,
  answers: { 201: { description: "The fork. Pass its `contextId` to reach it.", schema: forkAnswer } },
  async serve(call) {
    const { host, caller, body } = call;
    const { thread, context } = await threadAt(call, body.contextId);
    const { tenant } = caller;
    const fork = await host.engine.fork(
      { tenant, contextId: context.id },
      {
        atItemId: body.atItemId,
        // A client's id names a fork of this conversation and item alone.
        ...(body.id === undefined
          ? {}
          : { id: deriveId("http-fork", tenant, thread.id, context.id, body.atItemId, body.id) }),
      },
    );
    return json(201, forkView(thread.key, fork));
  },
});

export const deleteThread = route({
  method: "DELETE",
  path: "/threads/{key}",
  operationId: "deleteThread",
  summary: "Deletes a conversation with all of its rows from the store.",
  right: "operate",
  query: noQuery,
  answers: { 200: { description: "The receipt: rows that are gone, by table.", schema: deletedAnswer } },
  async serve(call) {
    const deleted = await call.host.store.deleteThread(call.caller.tenant, { key: keyOf(call) });
    if (deleted === undefined) throw new HebraError("THREAD_NOT_FOUND", "There is no conversation with this key.");
    await deleteBlobs(call.host, call.caller.tenant, deleted.contextIds);
    return json(200, deleted);
  },
});

/** The rows are gone, so that a request cannot be sent again: what stays behind is logged for an operator. */
async function deleteBlobs({ blobs, logger }: Host, tenant: string, contextIds: readonly string[]): Promise<void> {
  for (const contextId of contextIds)
    try {
      await blobs?.deleteContext(tenant, contextId);
    } catch (error) {
      logger.error("The long results of a deleted conversation are still in the blob store.", {
        contextId,
        error: errorMessage(error),
      });
    }
}
