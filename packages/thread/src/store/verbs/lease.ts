import { HebraError } from "@hebra/core";
import { ROW_VERSION } from "../rows.ts";
import { decideLease, type LeaseAnswer, type LeaseRequest } from "../leases.ts";
import { leases, type LeaseRow } from "../tables.ts";
import { encoded, findOne, putting, write, type Verb } from "./op.ts";

/** Under which tenant leases are kept: their keys name their tenants themselves. */
export const LEASES = "leases";

/** How often to decide anew when others are faster. */
const ATTEMPTS = 200;

/**
 * A look and one write that depends on nobody having written since. Nothing is locked in between: a process that stands
 * still in the middle keeps nobody waiting.
 *
 * @param now - milliseconds since the epoch by the database's clock, read before: too early is safe
 */
export function* lease(key: string, request: LeaseRequest, now: number): Verb<LeaseAnswer> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const known = yield* findOne(leases, "key", [LEASES, key]);
    const kept: LeaseRow = known ?? { v: ROW_VERSION, key, holder: null, until: 0, fence: 0, line: [], revision: 0 };
    const { answer, row, freed } = decideLease(kept, request, now);
    if (row === undefined) return answer;
    const next: LeaseRow = { ...row, revision: kept.revision + 1 };
    const news = freed ? { notify: { tenant: LEASES, contextId: key } } : {};
    if (known === undefined) {
      yield* write({ puts: putting(leases, LEASES, [next], "insert"), ...news });
      return answer;
    }
    const { holder, until, fence, line, revision } = next;
    const conditions = [{ field: "revision", is: "=" as const, value: kept.revision }];
    const fields = encoded(leases, { holder, until, fence, line, revision });
    const [written] = yield* write({
      when: { table: leases, key: [LEASES, key], conditions, fields, returning: "revision" },
      ...news,
    });
    if (written !== undefined) return answer;
  }
  throw new HebraError("STORE_FAILED", `Others kept changing the lease ${key}. Ask again.`, { retryable: true });
}
