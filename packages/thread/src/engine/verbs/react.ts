import { errorCode, HebraError } from "@hebra/core";
import { lockKey, type Lease } from "@hebra/lock";
import { defaultReactor } from "../../definition/default-reactor.ts";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { BusyPolicy } from "../../definition/policy.ts";
import type { Snapshot } from "../../store/store.ts";
import type { Address, ReactOptions } from "../api.ts";
import { assertOpen, definitionOf, find, locate, tenantOf, tryLease, type EngineCore } from "../engine-core.ts";
import type { TurnHandle } from "../handle.ts";
import { executionIdOf } from "../rows/new-rows.ts";
import { parseTrigger, type ParsedTrigger, type Trigger } from "../trigger.ts";
import { beginNow, beginQueued, type Accepted, type Arrival } from "./begin.ts";
import { cancel } from "./cancel.ts";

/** How often a trigger is tried to be stored while others write. */
const TRIES = 5;

/** Takes a trigger: see `Engine.react`. */
export async function react(
  core: EngineCore,
  named: AnyThreadDefinition | string,
  input: Trigger,
  options: ReactOptions,
): Promise<TurnHandle> {
  let lease = options.lease;
  let tookLease = false;
  try {
    const definition = definitionOf(core, named);
    const trigger = acceptTrigger(core, input);
    // Nothing is written for a turn that could not think.
    if (definition.reactor === undefined) await defaultReactor(definition);
    const tenant = tenantOf(options.address);
    const key = lockKey(tenant, await keyOf(core, options.address));
    const policy = options.whenBusy ?? definition.policy.whenBusy;
    lease ??= core.driver.takeOffered(key) ?? (await leaseIfAny(core, key, policy));
    const located = await locateUnder(core, { tenant, definition, key, lease, options });
    lease = located.lease;
    const accepted = await take(core, { ...located, tenant, definition, trigger }, lease, options);
    tookLease = accepted.tookLease;
    if (options.signal !== undefined) cancelOn(core, options.signal, accepted.turn, trigger.id);
    return accepted.turn;
  } catch (error) {
    core.telemetry.failed(error);
    throw error;
  } finally {
    if (!tookLease) await lease?.release();
  }
}

/** Stores a trigger without running it: see `Engine.enqueue`. */
export async function enqueue(
  core: EngineCore,
  named: AnyThreadDefinition | string,
  input: Trigger,
  { address, whenBusy }: Pick<ReactOptions, "address" | "whenBusy">,
): Promise<TurnHandle> {
  const definition = definitionOf(core, named);
  const trigger = acceptTrigger(core, input);
  const tenant = tenantOf(address);
  const snapshot = await locate(core, tenant, address, definition);
  const policy = whenBusy ?? definition.policy.whenBusy;
  const arrival = { tenant, snapshot, definition, trigger };
  return (await beginQueued(core, arrival, { policy, lease: undefined, then: "nothing" })).turn;
}

/** A trigger with the trace in which it came. */
function acceptTrigger({ telemetry }: EngineCore, input: Trigger): ParsedTrigger {
  const trigger = parseTrigger(input);
  return { ...trigger, correlation: telemetry.caused(trigger.correlation) };
}

/**
 * The lease of an idle thread. While the locks do not answer a message can still be stored, and runs once they do;
 * only `reject` has to know.
 */
async function leaseIfAny(core: EngineCore, key: string, policy: BusyPolicy): Promise<Lease | undefined> {
  try {
    return await tryLease(core, key);
  } catch (error) {
    if (policy === "reject" || !HebraError.isInstance(error) || !error.retryable) throw error;
    core.logger.warn("The locks did not answer: a message waits in line until they do.", { code: error.code });
    return undefined;
  }
}

async function keyOf(core: EngineCore, address: Address): Promise<string> {
  return "key" in address ? address.key : (await find(core, address)).thread.key;
}

/** Reads the thread. Sets locks right that count behind the store: they forgot their count, or were overtaken. */
async function locateUnder(
  core: EngineCore,
  at: {
    tenant: string;
    definition: AnyThreadDefinition;
    key: string;
    lease: Lease | undefined;
    options: ReactOptions;
  },
): Promise<{ snapshot: Snapshot; lease: Lease | undefined }> {
  const { tenant, definition, key, lease, options } = at;
  const snapshot = await locate(core, tenant, options.address, definition);
  if (lease === undefined || lease.fence >= snapshot.context.fence) return { snapshot, lease };
  await core.locks.seed(key, snapshot.context.fence);
  if (options.lease !== undefined) return { snapshot, lease };
  await lease.release();
  const next = await leaseIfAny(core, key, options.whenBusy ?? definition.policy.whenBusy);
  return { snapshot: await locate(core, tenant, options.address, definition), lease: next };
}

async function take(
  core: EngineCore,
  arrival: Arrival,
  lease: Lease | undefined,
  options: ReactOptions,
): Promise<Accepted> {
  for (let tries = 1; ; tries++) {
    try {
      return await takeOnce(core, arrival, lease, options);
    } catch (error) {
      // A former holder had a write on its way, or the thread was created at this moment: look again.
      if (errorCode(error) !== "VERSION_CONFLICT" || tries >= TRIES) throw error;
      arrival.snapshot = await locate(core, arrival.tenant, options.address, arrival.definition);
    }
  }
}

async function takeOnce(
  core: EngineCore,
  arrival: Arrival,
  lease: Lease | undefined,
  { whenBusy, lease: given, betweenTurns }: ReactOptions,
): Promise<Accepted> {
  const { tenant, snapshot, definition } = arrival;
  // Closed while the thread was read: a turn that began now would wait for another engine to find it.
  assertOpen(core);
  const idle = snapshot.active === undefined && snapshot.queued.length === 0;
  if (lease !== undefined && idle) return beginNow(core, lease, arrival, { given: given !== undefined, betweenTurns });
  const policy = whenBusy ?? definition.policy.whenBusy;
  if (policy === "reject" && !(await isKnown(core, arrival))) {
    const { key } = snapshot.thread;
    throw new HebraError("THREAD_BUSY", `The thread ${key} is running another turn.`, {
      details: { tenant, threadKey: key },
    });
  }
  return beginQueued(core, arrival, { policy, lease, then: given === undefined ? "kick" : "drive", betweenTurns });
}

async function isKnown({ store }: EngineCore, { tenant, snapshot, trigger }: Arrival): Promise<boolean> {
  return (await store.execution(tenant, executionIdOf(tenant, snapshot.context.id, trigger.id))) !== undefined;
}

function cancelOn(
  core: EngineCore,
  signal: AbortSignal,
  { tenant, contextId, executionId }: TurnHandle,
  triggerId: string,
): void {
  // A message that joined another's turn has begun nothing to cancel, unless it goes on as a turn of its own.
  const ownId = executionIdOf(tenant, contextId, triggerId);
  const onAbort = () =>
    void cancel(core, ownId, { tenant, reason: "The caller's signal aborted." }).catch(() => undefined);
  if (signal.aborted) return onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  // A caller's signal may live as long as its process; the turn does not.
  core.turns.onEnd(executionId, () => signal.removeEventListener("abort", onAbort));
}
