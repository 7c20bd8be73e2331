import { lockKey, type Lease } from "@hebra/lock";
import type { SweepCandidate } from "../../store/store.ts";
import type { Address } from "../api.ts";
import { find, targetOf, tenantOf, tryLease, type EngineCore } from "../engine-core.ts";

/** How turns without an owner are looked for. */
export interface RecoverOptions {
  olderThanMs?: number;
  limit?: number;
}

/** Candidates that are looked at in one go, at most: those whose lease is held take nobody's place. */
const MAX_LOOKED_AT = 10_000;

/** Resumes what was cut off, waits in line, or was decided: see `Engine.recover`. */
export async function recover(core: EngineCore, options: RecoverOptions = {}): Promise<number> {
  const { store, clock, definitions } = core;
  const { olderThanMs = 0, limit = 100 } = options;
  const only = { definitions: [...definitions.keys()] };
  // A turn that was touched exactly then counts: clocks have no finer grain than the millisecond.
  const before = clock.now() - olderThanMs + 1;
  const orphans = await takeFree(core, limit, (most) => store.system().sweep({ before, ...only, limit: most }));
  // A process that recorded a decision may have died before it woke anybody.
  const due = await takeFree(core, limit, (most) => store.system().due({ now: clock.now(), ...only, limit: most }));
  return orphans + due;
}

/** Drives candidates on whose lease nobody holds, and looks further where all of a page are held. */
async function takeFree(
  core: EngineCore,
  limit: number,
  read: (limit: number) => Promise<SweepCandidate[]>,
): Promise<number> {
  const seen = new Set<string>();
  let taken = 0;
  for (let most = limit; ; most *= 4) {
    const found = await read(most);
    for (const candidate of found) {
      if (taken >= limit || seen.has(candidate.executionId)) continue;
      seen.add(candidate.executionId);
      if (await takeOne(core, candidate)) taken++;
    }
    if (taken >= limit || found.length < most || most >= MAX_LOOKED_AT) return taken;
  }
}

/** @returns whether the candidate goes on, here or by whoever is woken */
async function takeOne(core: EngineCore, { tenant, threadKey, contextId }: SweepCandidate): Promise<boolean> {
  const { driver, options } = core;
  const at = { tenant, threadKey, contextId, lockKey: lockKey(tenant, threadKey) };
  if (driver.isDriving(at)) return false;
  if (options.wake !== undefined) {
    options.wake(at);
    return true;
  }
  // A store cannot tell a dead worker from a slow one; the lease can.
  const lease = await tryLease(core, at.lockKey);
  if (lease !== undefined) driver.drive(at, lease);
  return lease !== undefined;
}

/** Resumes a thread, under the caller's lease when given: see `Engine.resume`. */
export async function resume(core: EngineCore, address: Address, lease: Lease | undefined): Promise<void> {
  try {
    const at = targetOf(tenantOf(address), await find(core, address));
    if (lease === undefined) return core.driver.wake(at);
    core.driver.drive(at, lease, { given: true });
  } catch (error) {
    await lease?.release();
    throw error;
  }
}
