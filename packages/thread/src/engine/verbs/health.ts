import { errorCode, errorMessage } from "@hebra/core";
import type { SweepCandidate } from "../../store/store.ts";
import { definitionMissing } from "../drive/gone-definition.ts";
import type { EngineCore } from "../engine-core.ts";
import type { EngineHealth, StuckConversation } from "../engine-health.ts";

const LOOKED_AT = 1_000;

/** See `Engine.health`. */
export async function health(core: EngineCore): Promise<EngineHealth> {
  const { at, error } = core.sweeper.last();
  const stuck = core.stuck.all();
  let store: EngineHealth["store"] = null;
  try {
    const known = new Set(stuck.map(({ contextId }) => contextId));
    stuck.push(...(await withoutDefinition(core)).filter(({ contextId }) => !known.has(contextId)));
  } catch (failure) {
    store = shown(failure);
  }
  const lastSweep = { at, error: error === undefined ? null : shown(error) };
  const status = stuck.length > 0 || store !== null || lastSweep.error !== null ? "degraded" : "ok";
  return { status, active: core.driver.size(), stuck, lastSweep, store };
}

/** Turns that could go on, without a definition in this process, and untouched by any other for as long as a lease. */
async function withoutDefinition({ store, clock, settings, definitions }: EngineCore): Promise<StuckConversation[]> {
  const before = clock.now() - settings.leaseTtlMs;
  const system = store.system();
  const found: SweepCandidate[] = [
    ...(await system.sweep({ before, limit: LOOKED_AT })),
    ...(await system.due({ now: clock.now(), limit: LOOKED_AT })),
  ];
  return found
    .filter(({ definition, updatedAt }) => !definitions.has(definition) && updatedAt <= before)
    .map(({ tenant, threadKey, contextId, definition, updatedAt }) => ({
      tenant,
      threadKey,
      contextId,
      since: updatedAt,
      code: "DEFINITION_MISSING",
      message: definitionMissing(definition).message,
      retries: false,
    }));
}

const shown = (error: unknown) => ({ code: errorCode(error) ?? "INTERNAL", message: errorMessage(error) });
