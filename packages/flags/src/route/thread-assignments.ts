import type { Assignment, AssignmentStore } from "./assignment.ts";
import { memoryAssignments } from "./memory-assignments.ts";

/** The part of a thread store (`@hebra/thread`) that tells whether the new engine has a session. */
export interface ThreadStoreLike {
  load(
    tenant: string,
    ref: { readonly key: string },
  ): Promise<
    | {
        readonly context: { readonly id: string; readonly updatedAt: number };
        readonly active?: { readonly execution: { readonly provenance: unknown } } | undefined;
      }
    | undefined
  >;
  history(
    tenant: string,
    contextId: string,
    window: { readonly items: number },
  ): Promise<readonly { readonly item: { readonly executionId: string | null; readonly provenance: unknown } }[]>;
}

/** Options of {@link threadAssignments}. */
export interface ThreadAssignmentsOptions {
  readonly store: ThreadStoreLike;
  /** The tenant of a session's thread; a function is given the context's `org` too. @defaultValue "default" */
  readonly tenant?: string | ((session: string, org: string | undefined) => string);
  /** The thread's key of a session. @defaultValue the session */
  readonly key?: (session: string) => string;
  /** Where assignments of this process are kept. @defaultValue in memory */
  readonly local?: AssignmentStore;
}

/**
 * Assignments without a table of their own: what this process wrote it remembers, and of other sessions the thread
 * store tells: the newest turn in the
 * thread ran on the new engine, so the session has it. After a restart such a session stays on the new engine; that
 * legacy served it in
 * between is known only to `migrated`.
 *
 * @example
 * ```ts
 * import { createRouter, threadAssignments, type Flags, type ThreadStoreLike } from "@hebra/flags";
 *
 * export function routerOf(flags: Flags, store: ThreadStoreLike) {
 *   return createRouter({ flags, assignments: threadAssignments({ store, tenant: "acme" }) });
 * }
 * ```
 */
export function threadAssignments(options: ThreadAssignmentsOptions): AssignmentStore {
  const { store, tenant = "default", key = (session: string) => session } = options;
  const local = options.local ?? memoryAssignments();
  return {
    async read(flag, session, org) {
      const known = await local.read(flag, session, org);
      if (known !== undefined) return known;
      const where = typeof tenant === "string" ? tenant : tenant(session, org);
      const thread = await store.load(where, { key: key(session) });
      if (thread === undefined || !(await ranHere(store, where, thread))) return undefined;
      return { ...derived(flag, session, thread.context.updatedAt), tenant: org };
    },
    write: (assignment) => local.write(assignment),
  };
}

/** Whether the newest turn is the engine's own: an import leaves its provenance on every row. */
async function ranHere(
  store: ThreadStoreLike,
  tenant: string,
  thread: NonNullable<Awaited<ReturnType<ThreadStoreLike["load"]>>>,
): Promise<boolean> {
  const own = (provenance: unknown) => provenance === null || provenance === undefined;
  if (thread.active !== undefined) return own(thread.active.execution.provenance);
  // A summary stands after the turn that made it necessary, and belongs to none.
  const newest = (await store.history(tenant, thread.context.id, { items: 10 })).findLast(
    ({ item }) => item.executionId !== null,
  )?.item;
  return newest !== undefined && own(newest.provenance);
}

/** Revision 0 says that nobody wrote this: the router treats it as a session whose assignment was lost. */
function derived(flag: string, session: string, lastSeenAt: number): Assignment {
  return {
    flag,
    session,
    mode: "new",
    arm: undefined,
    flagVersion: 0,
    startedAt: lastSeenAt,
    lastSeenAt,
    newSince: 0,
    servedByLegacy: false,
    ended: false,
    revision: 0,
  };
}
