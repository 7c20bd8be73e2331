import { deriveId, type JsonObject } from "@hebra/core";
import { mainContextIdOf, newContext, newThread, threadIdOf } from "../engine/new-rows.ts";
import type { ThreadStore } from "../store/store.ts";

/** What a scheduler remembers of its jobs, for whoever leads next. */
export interface JobMemory {
  /** When each job last ran: the time that it was scheduled for. @param epoch - the reader's leadership: earlier leaders can write no more. */
  open(epoch: number): Promise<Map<string, number>>;
  /** @throws HebraError `STALE_FENCE` when another leads */
  record(epoch: number, lastRuns: ReadonlyMap<string, number>): Promise<void>;
}

/** The tenant of the runtime's own thread. */
const TENANT = "hebra";

/**
 * Keeps the memory in the thread store: the state document of a thread of its own, written under the leader's epoch as its
 * fence, so that a leader that was paused cannot overwrite its successor's.
 */
export function storeJobMemory(store: ThreadStore, name: string, now: () => number): JobMemory {
  const key = `scheduler:${name}`;
  const threadId = threadIdOf(TENANT, key);
  const contextId = mainContextIdOf(TENANT, threadId);
  return {
    async open(epoch) {
      if ((await store.load(TENANT, { key })) === undefined) {
        const at = now();
        const thread = newThread(threadId, key, contextId, at);
        const context = newContext(contextId, threadId, {}, 1, at);
        const provenance = { source: "scheduler", id: deriveId("scheduler", name) };
        await store.import(TENANT, { thread: { ...thread, provenance }, context: { ...context, provenance }, items: [], executions: [], steps: [], parts: [], calls: [] }).catch(async (error: unknown) => {
          // Another candidate was first.
          if ((await store.load(TENANT, { key })) === undefined) throw error;
        });
      }
      const { context } = await store.takeOver(TENANT, contextId, epoch);
      return new Map(Object.entries((context.state as JsonObject) ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
    },
    async record(epoch, lastRuns) {
      const found = await store.load(TENANT, { contextId });
      const changes = { context: { state: Object.fromEntries(lastRuns), updatedAt: now() }, events: [] };
      await store.commit(TENANT, contextId, { fence: epoch, expectedSeq: found?.context.seq ?? 0 }, changes);
    },
  };
}
