import type { Assignment, AssignmentStore } from "./assignment.ts";
import { assignmentKey } from "./encode-assignment.ts";

/**
 * Assignments in this process, for one process and for tests.
 *
 * @param options.maxEntries - the oldest go first beyond this. @defaultValue 100,000
 */
export function memoryAssignments(options: { readonly maxEntries?: number } = {}): AssignmentStore {
  const maxEntries = options.maxEntries ?? 100_000;
  const entries = new Map<string, Assignment>();
  const keyOf = (flag: string, session: string, tenant: string | undefined) =>
    JSON.stringify([flag, assignmentKey(session, tenant)]);
  return {
    read: (flag, session, tenant) => Promise.resolve(entries.get(keyOf(flag, session, tenant))),
    write(assignment) {
      const key = keyOf(assignment.flag, assignment.session, assignment.tenant);
      if ((entries.get(key)?.revision ?? 0) !== assignment.revision - 1) return Promise.resolve(false);
      // A Map keeps the order of insertion: writing again moves to the young end.
      entries.delete(key);
      entries.set(key, Object.freeze({ ...assignment }));
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value!);
      return Promise.resolve(true);
    },
  };
}
