import { errorCode, HebraError } from "@hebra/core";
import type { Claim } from "@hebra/bus";
import { lockKey, type Lease } from "@hebra/lock";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { Address, ReactOptions } from "../engine/api.ts";
import type { Trigger } from "../engine/trigger.ts";
import type { RoutedTurn } from "./engine-router.ts";
import type { EngineSwitch } from "./switched-turn.ts";
import { policyOf } from "./mid-turn.ts";
import type { RuntimeServices } from "./services.ts";

/**
 * A turn for a caller in this process, with the engine that the session has.
 *
 * @param attend - as for `busLocks`: ends the claim
 */
export async function directTurn(
  services: RuntimeServices,
  attend: (claim: Claim) => () => Promise<void>,
  definition: AnyThreadDefinition | string,
  trigger: Trigger,
  options: ReactOptions,
): Promise<RoutedTurn> {
  const { engine, engineSwitch } = services;
  if (engineSwitch === undefined) {
    const handle = await engine.react(definition, trigger, options);
    return {
      engine: "new",
      handle,
      result: handle.result,
      get verified() {
        return handle.verified;
      },
    };
  }
  const name = typeof definition === "string" ? definition : definition.name;
  const claim = await claimOf(services, name, options);
  const end = attend(claim);
  let released: Promise<void> | undefined;
  const lease: Lease = {
    key: lockKey(claim.tenant, claim.session),
    fence: claim.fence,
    signal: claim.signal,
    extend: () => claim.extend(),
    release: () => (released ??= end()),
  };
  return beginUnder(engineSwitch, claim, lease, name, trigger, options);
}

async function beginUnder(
  engineSwitch: EngineSwitch,
  tenure: Claim,
  lease: Lease,
  definition: string,
  trigger: Trigger,
  { whenBusy, signal }: ReactOptions,
): Promise<RoutedTurn> {
  const release = () => lease.release().catch(() => undefined);
  try {
    const request = { tenure, lease, definition, trigger };
    const turn = await engineSwitch.begin({
      ...request,
      ...(whenBusy === undefined ? {} : { whenBusy }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (turn.engine === "busy") throw turn.error;
    if (turn.engine === "legacy") void turn.result.then(release, release);
    return turn;
  } catch (error) {
    await release();
    throw error;
  }
}

async function claimOf(services: RuntimeServices, definition: string, options: ReactOptions): Promise<Claim> {
  const { tenant = "default" } = options.address;
  const session = await keyOf(services, tenant, options.address);
  const rejects = (options.whenBusy ?? policyOf(services, definition)) === "reject";
  try {
    return await services.bus.claim(
      { tenant, session },
      {
        ...(rejects ? { waitMs: 0 } : {}),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    );
  } catch (cause) {
    if (!rejects || errorCode(cause) !== "LOCK_TIMEOUT") throw cause;
    throw new HebraError("THREAD_BUSY", `The conversation ${session} is busy.`, {
      cause,
      details: { tenant, session },
    });
  }
}

async function keyOf({ store }: RuntimeServices, tenant: string, address: Address): Promise<string> {
  if ("key" in address && address.key !== undefined) return address.key;
  const found = await store.load(tenant, address);
  if (found === undefined) throw new HebraError("THREAD_NOT_FOUND", "There is no conversation at this address.");
  return found.thread.key;
}
