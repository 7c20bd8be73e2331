import { claimClauses } from "./contract/claims.ts";
import { crashClauses } from "./contract/crashes.ts";
import { fairnessClauses } from "./contract/fairness.ts";
import type { BusClause } from "./contract/harness.ts";
import { leaseClauses } from "./contract/leases.ts";
import { movingClauses } from "./contract/moving.ts";
import { operationClauses } from "./contract/operations.ts";
import { orderClauses } from "./contract/order.ts";
import { outboundClauses } from "./contract/outbound.ts";
import { publishClauses } from "./contract/publish.ts";
import { retryClauses } from "./contract/retry.ts";

/**
 * What every bus promises, by title. Run each clause against a fresh harness of the real backend.
 *
 * @example
 * ```ts
 * import { busContract, type BusContractHarness } from "@hebra/bus/testing";
 *
 * export async function prove(freshHarness: () => Promise<BusContractHarness>): Promise<void> {
 *   for (const [title, clause] of Object.entries(busContract)) {
 *     console.log(title);
 *     await clause(await freshHarness());
 *   }
 * }
 * ```
 */
export const busContract: Readonly<Record<string, BusClause>> = {
  ...orderClauses,
  ...publishClauses,
  ...leaseClauses,
  ...retryClauses,
  ...crashClauses,
  ...fairnessClauses,
  ...outboundClauses,
  ...claimClauses,
  ...operationClauses,
  ...movingClauses,
};
