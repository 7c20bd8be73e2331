import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import { mainContextIdOf, newContext, newThread, threadIdOf } from "../engine/rows/new-rows.ts";
import type { ContextRow } from "../store/rows.ts";
import type { ThreadStore } from "../store/store.ts";

/** The tenant of the runtime's own threads. */
export const OWN_TENANT = "hebra";

/** A document of the runtime's own, kept as the state of a thread that nobody talks to. */
export interface OwnThread {
  /** Makes it where there is none. @returns its state */
  open(): Promise<ContextRow>;
  /** The context, if there is one. */
  read(): Promise<ContextRow | undefined>;
  /** Replaces the state. @throws HebraError `STALE_FENCE` when a later holder has written */
  write(fence: number, state: JsonObject): Promise<void>;
  readonly contextId: string;
}

export function ownThread(store: ThreadStore, key: string, now: () => number): OwnThread {
  const threadId = threadIdOf(OWN_TENANT, key);
  const contextId = mainContextIdOf(OWN_TENANT, threadId);
  const read = async () => (await store.load(OWN_TENANT, { key }))?.context;
  return {
    contextId,
    read,
    async open() {
      const found = await read();
      if (found !== undefined) return found;
      const at = now();
      const provenance = { source: "runtime", id: deriveId("runtime", key) };
      const bundle = {
        thread: { ...newThread(threadId, key, contextId, at), provenance },
        context: { ...newContext(contextId, threadId, {}, 1, at), provenance },
      };
      return store.import(OWN_TENANT, { ...bundle, items: [], executions: [], steps: [], parts: [], calls: [] }).then(
        () => bundle.context,
        async (error: unknown) => {
          // Another was first.
          const theirs = await read();
          if (theirs === undefined) throw error;
          return theirs;
        },
      );
    },
    async write(fence, state) {
      const found = await read();
      await store.commit(
        OWN_TENANT,
        contextId,
        { fence, expectedSeq: found?.seq ?? 0 },
        { context: { state: state as JsonValue, updatedAt: now() }, events: [] },
      );
    },
  };
}
