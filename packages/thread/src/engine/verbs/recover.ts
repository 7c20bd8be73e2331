import { lockKey } from "@hebra/lock";
import type { Address } from "../api.ts";
import { find, targetOf, tenantOf, tryLease, type EngineCore } from "../engine-core.ts";
import type { Lease } from "@hebra/lock";

/** Drives on what was cut off, waits in line, or was decided: see `Engine.recover`. */
export async function recover(
  core: EngineCore,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<number> {
  const { store, clock, definitions, settings, driver } = core;
  const { olderThanMs = settings.leaseTtlMs, limit = 100 } = options;
  const only = { definitions: [...definitions.keys()], limit };
  // A turn that was touched exactly then counts: clocks have no finer grain than the millisecond.
  const orphans = await store.system().sweep({ before: clock.now() - olderThanMs + 1, ...only });
  // A process that recorded a decision may have died before it woke anybody.
  const due = await store.system().due({ now: clock.now(), ...only });
  for (const { tenant, threadKey, contextId } of [...orphans, ...due]) {
    const at = { tenant, threadKey, contextId, lockKey: lockKey(tenant, threadKey) };
    if (driver.isDriving(at)) continue;
    if (core.options.wake !== undefined) {
      core.options.wake(at);
      continue;
    }
    // A store cannot tell a dead worker from a slow one; the lease can.
    const lease = await tryLease(core, at.lockKey);
    if (lease !== undefined) driver.drive(at, lease);
  }
  return orphans.length + due.length;
}

/** Resumes a thread, under the caller's lease when given: see `Engine.resume`. */
export async function resume(core: EngineCore, address: Address, lease: Lease | undefined): Promise<void> {
  try {
    const at = targetOf(tenantOf(address), await find(core, address));
    if (lease === undefined) return core.driver.wake(at);
    core.driver.drive(at, lease);
  } catch (error) {
    await lease?.release();
    throw error;
  }
}
