import { errorCode } from "@hebra/core";
import type { Changes, Committed, Guard } from "../../store/store.ts";
import { isTriedAgain, pause } from "../steady-store.ts";
import { isInboxConflict } from "./inbox.ts";
import type { TurnEnvironment, TurnWork } from "./running-turn.ts";

/**
 * Writes to a context, again where the store failed in a way that may pass. A write whose answer was lost may have been
 * committed: then the store is one write ahead, under this very fence.
 */
export async function commitWithRetry(
  environment: TurnEnvironment,
  { signal, telemetry }: Pick<TurnWork, "signal" | "telemetry">,
  contextId: string,
  guard: Guard,
  changes: Changes,
): Promise<Committed> {
  const { store, tenant, clock, logger, random, patient } = environment;
  const retry = { clock, random, logger, signal, patient };
  let unsure = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await store.commit(tenant, contextId, guard, changes);
    } catch (error) {
      if (unsure && errorCode(error) === "VERSION_CONFLICT" && !isInboxConflict(error)) {
        const found = await store.load(tenant, { contextId });
        if (
          found !== undefined &&
          found.context.seq === guard.expectedSeq + changes.events.length &&
          found.context.fence === guard.fence
        ) {
          return { seq: found.context.seq, inboxSeq: found.context.inboxSeq };
        }
      }
      if (!isTriedAgain(error, attempt, retry)) throw error;
      unsure = true;
      telemetry.retried("write");
      logger.warn("A write of a turn failed and is tried again.", { attempt, code: errorCode(error) ?? null });
      await pause(attempt, retry);
    }
  }
}
