import { createIdGenerator, HebraError } from "@hebra/core";
import { basicClauses } from "./contract/basics.ts";
import { conversationClauses } from "./contract/conversations.ts";
import { durabilityClauses } from "./contract/durability.ts";
import { guardClauses } from "./contract/guards.ts";
import { inboxClauses } from "./contract/inbox.ts";
import { jsonClauses } from "./contract/json.ts";
import { recoveryClauses } from "./contract/recovery.ts";
import type { Clause, StoreContractOptions } from "./contract/scenario.ts";
import { stateAtClauses } from "./contract/state-at.ts";
import { tenantClauses } from "./contract/tenants.ts";
import { transferClauses } from "./contract/transfer.ts";
import { windowClauses } from "./contract/windows.ts";

export type { StoreContractOptions } from "./contract/scenario.ts";

const clauses = {
  ...basicClauses,
  ...conversationClauses,
  ...guardClauses,
  ...inboxClauses,
  ...windowClauses,
  ...stateAtClauses,
  ...transferClauses,
  ...jsonClauses,
  ...tenantClauses,
  ...durabilityClauses,
  ...recoveryClauses,
};

/** The title of one clause. */
export type StoreClause = keyof typeof clauses;

const newTenant = createIdGenerator();

/**
 * What a {@link ThreadStore} means, as clauses to run against a real backend: title → function that throws an
 * `AssertionError` where the store breaks it. Each clause gets a fresh store, in a tenant of its own. No test runner is
 * imported; hand each clause to yours.
 *
 * @example
 * ```ts
 * import { storeContract } from "@hebra/thread/testing";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const clauses = storeContract({
 *   create: async () => memoryStore(),
 *   skip: { "what was acknowledged is there when the data is opened again": "memory ends with its process" },
 * });
 * for (const [title, clause] of Object.entries(clauses)) console.log(title, typeof clause);
 * ```
 */
export function storeContract(
  options: StoreContractOptions & { skip?: Partial<Record<StoreClause, string>> },
): Partial<Record<StoreClause, () => Promise<void>>> {
  const skip = options.skip ?? {};
  for (const [title, reason] of Object.entries(skip)) {
    if (!Object.hasOwn(clauses, title))
      throw new HebraError("INVALID_OPTIONS", `storeContract: there is no clause "${title}" to skip.`);
    if (reason.trim() === "") throw new HebraError("INVALID_OPTIONS", `storeContract: say why "${title}" is skipped.`);
  }
  const kept = Object.entries<Clause>(clauses).filter(([title]) => !Object.hasOwn(skip, title));
  return Object.fromEntries(kept.map(([title, clause]) => [title, () => run(clause, options)]));
}

async function run(clause: Clause, options: StoreContractOptions): Promise<void> {
  const store = await options.create();
  try {
    await clause({ store, tenant: newTenant(), options });
  } finally {
    await store.close();
  }
}
