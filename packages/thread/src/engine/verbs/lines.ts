import type { ContextRow } from "../../store/rows.ts";
import type { Address } from "../api.ts";
import { compareContexts, type Comparison } from "../compare.ts";
import { find, tenantOf, type EngineCore } from "../engine-core.ts";
import { newContext } from "../rows/new-rows.ts";

/** Adds a line of history that shares another's: see `Engine.fork`. */
export async function fork(
  core: EngineCore,
  address: Address,
  { atItemId, id }: { atItemId: string; id?: string },
): Promise<ContextRow> {
  const { store, clock } = core;
  const tenant = tenantOf(address);
  const { context } = await find(core, address);
  const at = clock.now();
  const { state, stateVersion } = await store.stateAt(tenant, context.id, atItemId);
  const made = newContext(id ?? globalThis.crypto.randomUUID(), context.threadId, state, stateVersion, at);
  return store.fork(tenant, { from: context.id, atItemId, context: made });
}

/** Where two lines of history part: see `Engine.compare`. */
export async function compare(core: EngineCore, left: Address, right: Address): Promise<Comparison> {
  const [one, other] = await Promise.all(
    [left, right].map(async (address) => ({
      tenant: tenantOf(address),
      context: (await find(core, address)).context,
    })),
  );
  return compareContexts(core.store, one!, other!);
}
