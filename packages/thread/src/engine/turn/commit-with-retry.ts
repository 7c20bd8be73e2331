import { errorCode, sleep, type HebraError } from "@hebra/core";
import type { Changes, Committed, Guard } from "../../store/store.ts";
import { isInboxConflict } from "./inbox.ts";
import type { TurnEnvironment, TurnWork } from "./running-turn.ts";
import { isStoreError } from "../drive/turn-errors.ts";

/** A retried write waits at most so long, in milliseconds. */
const COMMIT_TRIES = 5;
const COMMIT_RETRY_MS = 50;

/**
 * Writes to a context, again where the store failed in a way that may pass. A write whose answer was lost may have
 * landed:
 * then the store is one write ahead, under this very fence.
 */
export async function commitWithRetry(
  environment: TurnEnvironment,
  { signal, telemetry }: Pick<TurnWork, "signal" | "telemetry">,
  contextId: string,
  guard: Guard,
  changes: Changes,
): Promise<Committed> {
  const { store, tenant, clock, logger, random } = environment;
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
      if (attempt >= COMMIT_TRIES || !isStoreError(error) || !(error as HebraError).retryable) throw error;
      unsure = true;
      telemetry.retried("write");
      logger.warn("A write of a turn failed and is tried again.", { attempt, code: errorCode(error) ?? null });
      await sleep(clock, random() * COMMIT_RETRY_MS * 2 ** attempt, signal);
    }
  }
}
