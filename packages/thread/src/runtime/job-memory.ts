import type { JsonObject } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import { OWN_TENANT, ownThread } from "./own-thread.ts";

/** What a scheduler remembers of its jobs, for whoever leads next. */
export interface JobMemory {
  /**
   * When each job last ran: the time that it was scheduled for. @param epoch - the reader's leadership: earlier leaders
   * can write no more.
   */
  open(epoch: number): Promise<Map<string, number>>;
  /** @throws HebraError `STALE_FENCE` when another leads */
  record(epoch: number, lastRuns: ReadonlyMap<string, number>): Promise<void>;
}

/**
 * Keeps the memory in the thread store: the state document of a thread of its own, written under the leader's epoch as
 * its
 * fence, so that a leader that was paused cannot overwrite its successor's.
 */
export function storeJobMemory(store: ThreadStore, name: string, now: () => number): JobMemory {
  const thread = ownThread(store, `scheduler:${name}`, now);
  return {
    async open(epoch) {
      await thread.open();
      const { context } = await store.takeOver(OWN_TENANT, thread.contextId, epoch);
      return new Map(
        Object.entries((context.state as JsonObject) ?? {}).filter(
          (entry): entry is [string, number] => typeof entry[1] === "number",
        ),
      );
    },
    record: (epoch, lastRuns) => thread.write(epoch, Object.fromEntries(lastRuns)),
  };
}
