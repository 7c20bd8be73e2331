import { HebraError } from "@hebra/core";
import type { DurableEvent } from "../../stream/envelope.ts";
import type { Guard } from "../store.ts";
import type { Table } from "../table.ts";
import { contexts, type StoredContext } from "../tables.ts";
import { findOne, type Verb, type When } from "./op.ts";

/** The numbers of a context that a guard speaks of. */
export type Position = Pick<StoredContext, "id" | "seq" | "inboxSeq" | "fence">;

/**
 * Checks what entitles a holder to write: the fence first, then the sequence, then the inbox.
 *
 * @throws HebraError `STALE_FENCE`, `VERSION_CONFLICT`
 */
export function checkGuard(at: Position, guard: Guard): void {
  checkFence(at, guard.fence);
  if (guard.expectedSeq !== at.seq) {
    throw new HebraError(
      "VERSION_CONFLICT",
      `The context ${at.id} is at sequence ${at.seq}, not ${guard.expectedSeq}. Load it again and repeat.`,
      {
        details: { contextId: at.id, seq: at.seq, expectedSeq: guard.expectedSeq },
      },
    );
  }
  if (guard.expectedInboxSeq !== undefined && guard.expectedInboxSeq !== at.inboxSeq) {
    throw new HebraError(
      "VERSION_CONFLICT",
      `The inbox of the context ${at.id} is at ${at.inboxSeq}, not ${guard.expectedInboxSeq}. Load it again, fold the inbox in and repeat.`,
      {
        details: { contextId: at.id, inbox: true, inboxSeq: at.inboxSeq, expectedInboxSeq: guard.expectedInboxSeq },
      },
    );
  }
}

/** The same as {@link checkGuard}, for the database to check as it writes. */
export function guarded(guard: Guard): When["conditions"] {
  validFence(guard.fence);
  return [
    { field: "seq", is: "=", value: guard.expectedSeq },
    { field: "fence", is: "<=", value: guard.fence },
    ...(guard.expectedInboxSeq === undefined
      ? []
      : [{ field: "inboxSeq", is: "=" as const, value: guard.expectedInboxSeq }]),
  ];
}

function validFence(fence: number): void {
  if (!Number.isSafeInteger(fence) || fence < 0)
    throw new HebraError("INTERNAL", `The fence ${String(fence)} is not an integer between 0 and 2^53 - 1.`);
}

/** @throws HebraError `STALE_FENCE` when a newer holder has registered. */
export function checkFence(at: Position, fence: number): void {
  validFence(fence);
  if (fence >= at.fence) return;
  throw new HebraError(
    "STALE_FENCE",
    `A holder with fence ${at.fence} has taken over the context ${at.id}; the fence ${fence} is older.`,
    {
      details: { contextId: at.id, fence: at.fence, given: fence },
    },
  );
}

/**
 * Checks that events follow on the sequence without a gap, and tell of this context. @returns the last sequence number
 */
export function checkEvents(tenant: string, contextId: string, seq: number, events: readonly DurableEvent[]): number {
  let last = seq;
  for (const event of events) {
    last += 1;
    if (event.seq !== last)
      throw new HebraError(
        "INTERNAL",
        `An event of the context ${contextId} has sequence ${event.seq}; ${last} was to come.`,
      );
    if (event.contextId !== contextId || event.tenant !== tenant)
      throw new HebraError("INTERNAL", `The event ${event.seq} is of another context than ${contextId}.`);
  }
  return last;
}

/** Checks that rows belong to the context that is written. */
export function checkOwner(
  table: Table<object>,
  contextId: string,
  rows: readonly { contextId: string; id: string }[] | undefined,
): void {
  for (const row of rows ?? []) {
    if (row.contextId === contextId) continue;
    throw new HebraError(
      "INVALID_ID",
      `The row ${row.id} of ${table.name} is of the context ${row.contextId}; it cannot be written with the context ${contextId}.`,
    );
  }
}

/** A context that must be there. @throws HebraError `CONTEXT_NOT_FOUND` */
export function* contextOf(tenant: string, contextId: string, lock: boolean): Verb<StoredContext> {
  const context = yield* findOne(contexts, "key", [tenant, contextId], lock ? { lock } : {});
  if (context === undefined) throw noContext(contextId);
  return context;
}

export function noContext(contextId: string): HebraError {
  return new HebraError("CONTEXT_NOT_FOUND", `There is no context ${contextId} in this tenant.`, {
    details: { contextId },
  });
}

/** @throws HebraError `CONTEXT_MIGRATING` */
export function checkSettled(context: StoredContext): void {
  if (!context.importing) return;
  throw new HebraError(
    "CONTEXT_MIGRATING",
    `The context ${context.id} is being imported. Try again when the import has ended.`,
    {
      details: { contextId: context.id },
    },
  );
}

export function closed(contextId: string): HebraError {
  return new HebraError("CONTEXT_CLOSED", `The context ${contextId} is closed. Reopen it first.`, {
    details: { contextId },
  });
}

/** When a write was refused for something that was no longer so when it was looked into. */
export function crowded(contextId: string): HebraError {
  return new HebraError(
    "VERSION_CONFLICT",
    `Others kept writing to the context ${contextId}. Load it again and repeat.`,
    { details: { contextId } },
  );
}
