import { storableLine } from "../../definition/storable.ts";
import { tenantOf, wakeContext, type EngineCore } from "../engine-core.ts";

/** Ends a turn wherever it runs: see `Engine.cancel`. */
export async function cancel(
  core: EngineCore,
  executionId: string,
  at: { tenant?: string; by?: string; reason?: string; joined?: boolean },
): Promise<void> {
  const { store, clock } = core;
  const tenant = tenantOf(at);
  const { by, reason, joined } = at;
  await store.requestCancel(tenant, executionId, {
    ...(by === undefined ? {} : { by: storableLine(by) }),
    ...(reason === undefined ? {} : { reason: storableLine(reason) }),
    ...(joined === true && { joined }),
    at: clock.now(),
  });
  const graph = await store.execution(tenant, executionId);
  if (graph !== undefined && graph.execution.endedAt === null)
    await wakeContext(core, tenant, graph.execution.contextId);
}
