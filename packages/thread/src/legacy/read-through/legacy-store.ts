import { errorCode, HebraError, parseOptions, silentLogger, type Logger } from "@hebra/core";
import * as z from "zod";
import { memoryStore } from "../../store/memory.ts";
import type { ContextBundle, Snapshot, ThreadRef, ThreadStore } from "../../store/store.ts";
import { createGraves } from "./graves.ts";
import { listBoth } from "./list-both.ts";
import type { LegacyGroup, LegacyReader } from "./reader.ts";

/**
 * A context as it is to be in the thread store, with the rows that found no place in it: what `storyBundle` of
 * `@hebra/migrate` returns.
 */
export interface MappedGroup {
  /** A {@link ContextBundle}; undefined when the context's own row cannot be mapped. */
  document: object | undefined;
  rejects: readonly unknown[];
}

/** How {@link legacyStore} is put together. */
export interface LegacyStoreOptions {
  /** Where threads live from now on. */
  store: ThreadStore;
  /** Where the old engine's rows are. */
  legacy: LegacyReader;
  /**
   * Maps the rows of one context: `storyBundle` of `@hebra/migrate`. Pure: the same rows must give the same bundle in
   * every process.
   */
  toBundle(group: LegacyGroup): MappedGroup | Promise<MappedGroup>;
  /**
   * How many rows of a context may find no place before it is refused, and cannot go on here. Reading is never refused.
   * @defaultValue 0
   */
  maxRejects?: number;
  /** @defaultValue one that says nothing */
  logger?: Logger;
}

interface Old {
  bundle: ContextBundle;
  rejects: number;
}

/** The contexts that are known to go on in the thread store; forgotten all at once when there are more. */
const MAX_KNOWN = 10_000;

const isObject = (value: unknown) => typeof value === "object" && value !== null;
const schema = z.strictObject({
  store: z.custom(isObject, "must be a thread store"),
  legacy: z.custom(isObject, "must be a reader"),
  toBundle: z.custom((value) => typeof value === "function", "must be a function"),
  maxRejects: z.number().nonnegative().default(0).or(z.literal(Infinity)),
  logger: z.custom(isObject).optional(),
});

/**
 * A thread store over another that also answers for the old engine's conversations: what the thread store has not got
 * is read
 * from the old rows, as items with parts, so that histories are there before, during and after a migration. The old
 * rows are
 * never written to. The first turn of such a conversation brings it in whole, by `import`, and then goes on in the
 * thread
 * store; until then the old engine may still add to it. Two processes may do so at once.
 *
 * A conversation that a migration has imported already, and that no turn has touched here, is read from wherever there
 * is more
 * of it, and is caught up by its first turn. One that goes back to the old engine after a turn here, and returns, is to
 * be
 * caught up with `catchUp` before its next turn. One that is deleted stays deleted here; its old rows are left where
 * they are, and erasing them is the old engine's to do. `system()` and addresses by thread id know the thread store
 * alone.
 *
 * @throws HebraError `INVALID_OPTIONS`. `begin`, `fork` and `setClosed` also throw `REJECTS_OVER_BUDGET`.
 *
 * @example
 * ```ts
 * import { createEngine } from "@hebra/thread";
 * import { legacyStore, memoryReader, type MappedGroup } from "@hebra/thread/legacy";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * // In production: import { storyBundle } from "@hebra/migrate".
 * declare function storyBundle(group: object): MappedGroup;
 *
 * export function openEngine() {
 *   const store = legacyStore({ store: memoryStore(), legacy: memoryReader({ context_contexts: [] }), toBundle:
 * storyBundle });
 *   return createEngine({ store, threads: [] });
 * }
 * ```
 */
export function legacyStore(options: LegacyStoreOptions): ThreadStore {
  const { maxRejects } = parseOptions("legacyStore", schema, options);
  const { store, legacy, logger = silentLogger } = options;
  const known = new Set<string>();
  const graves = createGraves(store);
  const nameOf = (tenant: string, contextId: string) => JSON.stringify([tenant, contextId]);

  /** What the old engine has at an address. */
  async function read(tenant: string, ref: ThreadRef): Promise<Old | undefined> {
    return map(
      "key" in ref
        ? await legacy.byKey(tenant, ref.key)
        : "contextId" in ref
          ? await legacy.byContextId(tenant, ref.contextId)
          : undefined,
    );
  }

  async function map(group: LegacyGroup | undefined): Promise<Old | undefined> {
    if (group === undefined) return undefined;
    const { document, rejects } = await options.toBundle(group);
    return document === undefined ? undefined : { bundle: document as ContextBundle, rejects: rejects.length };
  }

  /** What is at an address: in the thread store, or, while nothing has been done with it there, in the old rows. */
  async function find(
    tenant: string,
    ref: ThreadRef,
  ): Promise<{ snapshot: Snapshot | undefined; old: Old | undefined }> {
    const snapshot = await store.load(tenant, ref);
    if (snapshot !== undefined) {
      const name = nameOf(tenant, snapshot.context.id);
      if (known.has(name)) return { snapshot, old: undefined };
      if (!isUntouched(snapshot)) {
        if (known.size >= MAX_KNOWN) known.clear();
        known.add(name);
        return { snapshot, old: undefined };
      }
    }
    const found = await read(tenant, snapshot === undefined ? ref : { contextId: snapshot.context.id });
    const old = found === undefined || (await graves.has(tenant, found.bundle.thread.id)) ? undefined : found;
    const isNews =
      old !== undefined &&
      (snapshot === undefined || snapshot.context.importing || old.bundle.context.seq > snapshot.context.seq);
    return { snapshot, old: isNews ? old : undefined };
  }

  /** A store of this one context, so that reading it means what reading any store means. */
  async function view(tenant: string, bundle: ContextBundle): Promise<ThreadStore> {
    const one = memoryStore();
    await one.import(tenant, bundle);
    return one;
  }

  /** Answers from the old rows when there is more in them, else from the thread store. */
  async function reading<T>(tenant: string, contextId: string, ask: (from: ThreadStore) => Promise<T>): Promise<T> {
    if (known.has(nameOf(tenant, contextId))) return ask(store);
    const { old } = await find(tenant, { contextId });
    return ask(old === undefined ? store : await view(tenant, old.bundle));
  }

  /** Brings a context in whole before the first write to it. The thread store decides between two who do so at once. */
  async function bringIn(tenant: string, contextId: string): Promise<void> {
    if (known.has(nameOf(tenant, contextId))) return;
    const { snapshot, old } = await find(tenant, { contextId });
    // A reserved address belongs to the migration that is about to fill it.
    if (old === undefined || snapshot?.context.importing === true) return;
    const { bundle, rejects } = old;
    if (rejects > maxRejects) {
      throw new HebraError(
        "REJECTS_OVER_BUDGET",
        `${rejects} rows of the old conversation ${bundle.thread.key} have no place in the new one, and ${maxRejects} are allowed. Repair them, or raise \`maxRejects\`.`,
        {
          details: { tenant, contextId, rejects },
        },
      );
    }
    try {
      const { changed, counts } = await store.import(tenant, bundle);
      if (changed)
        logger.info("A conversation of the old engine was brought in.", { tenant, contextId, rejects, ...counts });
    } catch (error) {
      // Somebody else brought it in, and goes on with it already.
      if (errorCode(error) !== "IMPORT_CONFLICT" || (await store.load(tenant, { contextId })) === undefined)
        throw error;
    }
  }

  return {
    ...store,
    async begin(tenant, begin) {
      await bringIn(tenant, begin.context.id);
      return store.begin(tenant, begin);
    },
    async fork(tenant, fork) {
      await bringIn(tenant, fork.from);
      return store.fork(tenant, fork);
    },
    async deleteThread(tenant, ref) {
      const { snapshot, old } = await find(tenant, ref);
      const thread = snapshot?.thread ?? old?.bundle.thread;
      if (thread === undefined) return store.deleteThread(tenant, ref);
      // First, so that whoever reads in between finds either all of it or nothing.
      await graves.add(tenant, thread.id);
      const gone = await store.deleteThread(tenant, { id: thread.id });
      return gone ?? { threadId: thread.id, key: thread.key, contextIds: [], counts: {} };
    },
    async setClosed(tenant, contextId, closed, at) {
      await bringIn(tenant, contextId);
      return store.setClosed(tenant, contextId, closed, at);
    },
    async load(tenant, ref) {
      const { snapshot, old } = await find(tenant, ref);
      if (old === undefined) return snapshot;
      const seen = await (await view(tenant, old.bundle)).load(tenant, { contextId: old.bundle.context.id });
      // Whoever wants to write must still be told that the address is reserved.
      return snapshot?.context.importing === true ? { ...seen!, context: { ...seen!.context, importing: true } } : seen;
    },
    history: (tenant, contextId, window) =>
      reading(tenant, contextId, (from) => from.history(tenant, contextId, window)),
    journal: (tenant, contextId, afterSeq, limit) =>
      reading(tenant, contextId, (from) => from.journal(tenant, contextId, afterSeq, limit)),
    stateAt: (tenant, contextId, itemId) =>
      reading(tenant, contextId, (from) => from.stateAt(tenant, contextId, itemId)),
    export: (tenant, contextId) => reading(tenant, contextId, (from) => from.export(tenant, contextId)),
    async execution(tenant, executionId) {
      const found = await store.execution(tenant, executionId);
      if (found !== undefined) return found;
      const old = await map(await legacy.byExecutionId?.(tenant, executionId));
      if (old === undefined || (await graves.has(tenant, old.bundle.thread.id))) return undefined;
      return (await view(tenant, old.bundle)).execution(tenant, executionId);
    },
    list: (tenant, page) =>
      listBoth(store, legacy, tenant, page ?? {}, async (context) => {
        const old = await map({ context, events: [], executions: [], steps: [], parts: [] });
        if (old === undefined || (await graves.has(tenant, old.bundle.thread.id))) return undefined;
        return { ...old.bundle.thread, status: old.bundle.context.status };
      }),
    async close() {
      await store.close();
      await legacy.close?.();
    },
  };
}

/** An import wrote it, and no turn has begun in it since: the old engine may still be the one that serves it. */
export function isUntouched({ context, active, queued }: Snapshot): boolean {
  return (
    context.importing ||
    (context.provenance !== null && context.fence === 0 && active === undefined && queued.length === 0)
  );
}
