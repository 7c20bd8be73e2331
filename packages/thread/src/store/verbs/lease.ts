import { ROW_VERSION } from "../rows.ts";
import { decideLease, type LeaseAnswer, type LeaseRequest } from "../leases.ts";
import { leases, type LeaseRow } from "../tables.ts";
import { findOne, putting, write, type Verb } from "./op.ts";

/** Under which tenant leases are kept: their keys name their tenants themselves. */
export const LEASES = "leases";

/** @param now - milliseconds since the epoch by the database's clock, read before the transaction: too early is safe */
export function* lease(key: string, request: LeaseRequest, now: number): Verb<LeaseAnswer> {
  const known = yield* findOne(leases, "key", [LEASES, key], { lock: true });
  const kept: LeaseRow = known ?? { v: ROW_VERSION, key, holder: null, until: 0, fence: 0, line: [] };
  const { answer, row, freed } = decideLease(kept, request, now);
  if (row !== undefined) {
    const puts = putting(leases, LEASES, [row], known === undefined ? "insert" : "put");
    yield* write({ puts, ...(freed && { notify: { tenant: LEASES, contextId: key } }) });
  }
  return answer;
}
