import { deriveId, HebraError, type Clock, type Logger } from "@hebra/core";
import { localLocks, type LockManager } from "@hebra/lock";
import { createEngine, type Engine, type ThreadRef, type ThreadStore } from "@hebra/thread";
import { definitionOf } from "./definition.ts";
import { getThreadEnv } from "./env.ts";
import { factories, factoryOf } from "./factories.ts";
import { mainContextIdOf, threadIdOf } from "./ids.ts";
import { toStoredContext, toStoredThread, toThreadItem } from "./items.ts";
import { processWide } from "./process-wide.ts";
import { createScopes, type Scopes } from "./scope.ts";
import type {
  AnyThread,
  ContextIdentifier,
  Loose,
  StoredContext,
  StoredThread,
  ThreadEnvironment,
  ThreadItem,
} from "./types.ts";
import { hooksOf } from "./hooks.ts";
import { unsupported } from "./unsupported.ts";

/** What a host's resolver returns. It must give the same store each time. */
export interface LegacyRuntimeParts {
  /** Where threads live: one of `@hebra/thread/store/*`, or `legacyStore` over it. */
  store?: ThreadStore;
  /** @defaultValue "default" */
  tenant?: string;
  /** @defaultValue locks of this process */
  locks?: LockManager;
  /** Items of history that a model is shown. @defaultValue 1 000, as the old engine */
  historyItems?: number;
  clock?: Clock;
  logger?: Logger;
  /** Where a turn's chunks go when its caller gives no `writable`. @defaultValue nowhere */
  writable?: (at: { contextId: string }) => WritableStream<Loose> | undefined;
  /** The old engine's database: not used. */
  db?: unknown;
  meta?: unknown;
}

/** @deprecated Use `createEngine({ store, threads })`. */
export interface LegacyRuntimeConfig<Env extends ThreadEnvironment = Loose> {
  /** From an environment to the store and tenant that it means. */
  runtime: (env: Env, domain?: Loose, options?: Loose) => LegacyRuntimeParts | Promise<LegacyRuntimeParts>;
  domain?: unknown;
  threads?: readonly { register(): void }[];
}

/** The reading half of the old store. Its writing half is the engine's own affair now. */
export interface LegacyThreadStore {
  getThread(identifier: ContextIdentifier): Promise<StoredThread | null>;
  getContext<C = Loose>(identifier: ContextIdentifier): Promise<StoredContext<C> | null>;
  /** The context that is there, or the one that the first turn at this address will make, under its id. */
  getOrCreateContext<C = Loose>(identifier: ContextIdentifier | null): Promise<StoredContext<C>>;
  getItems(identifier: ContextIdentifier): Promise<ThreadItem[]>;
}

/** @deprecated Use an `Engine` and a `ThreadStore`. */
export interface ThreadRuntime {
  readonly tenant: string;
  readonly store: LegacyThreadStore;
  /** The new engine's store. */
  readonly threadStore: ThreadStore;
  /** The engine that runs a thread: for `approve`, `deny`, `cancel`, `history` and more. */
  engineOf(thread: AnyThread): Engine;
  /** Drives on, with every registered thread, what crashed processes have left. @returns how many turns were tried */
  recover(options?: { olderThanMs?: number }): Promise<number>;
  readonly parts: LegacyRuntimeParts;
}

const DEFAULT_HISTORY_ITEMS = 1_000;

interface Started {
  engine: Engine;
  scopes: Scopes;
  /** Aborts when the engine is closed. */
  closed: AbortSignal;
}

const known = processWide("runtime", () => ({
  config: undefined as LegacyRuntimeConfig | undefined,
  started: new WeakMap<ThreadStore, Map<AnyThread, Started>>(),
  locks: new WeakMap<ThreadStore, LockManager>(),
  instances: new Map<string, AnyThread>(),
}));

/**
 * Says where threads live.
 *
 * @deprecated Use `createEngine({ store, threads })`.
 *
 * @example
 * ```ts
 * import { configureRuntime } from "@hebra/compat/runtime";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const store = memoryStore();
 * configureRuntime({ runtime: async (env: { orgId: string }) => ({ store, tenant: env.orgId }) });
 * ```
 */
export function configureRuntime<Env extends ThreadEnvironment = Loose>(options: LegacyRuntimeConfig<Env>): void {
  known.config = options;
  for (const thread of options.threads ?? []) thread.register();
}

/**
 * @deprecated Use an `Engine`. @throws HebraError `INVALID_OPTIONS` before `configureRuntime`, `UNSUPPORTED` when it
 * gives no store of this package.
 */
export async function getThreadRuntime(env: ThreadEnvironment): Promise<ThreadRuntime> {
  const { config } = known;
  if (config === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "No runtime is configured: call configureRuntime({ runtime: () => ({ store }) }) when the process starts.",
    );
  const parts = await config.runtime(env, config.domain);
  const { store, tenant = "default" } = parts;
  if (typeof store?.begin !== "function") {
    throw unsupported(
      "A runtime that is a database alone",
      "Return `store` from the function that you give to configureRuntime: one of `@hebra/thread/store/*`, or `legacyStore` over it, which reads the old rows.",
    );
  }
  const engineOf = (thread: AnyThread) => startedOf(store, parts, thread).engine;
  return {
    tenant,
    parts,
    threadStore: store,
    store: reading(store, tenant, parts.historyItems ?? DEFAULT_HISTORY_ITEMS),
    engineOf,
    async recover(options) {
      const tried = await Promise.all([...factories.keys()].map((key) => engineOf(registered(key)).recover(options)));
      return tried.reduce((sum, count) => sum + count, 0);
    },
  };
}

/** One instance for a key, so that it has one engine. */
function registered(key: string): AnyThread {
  const found = known.instances.get(key);
  if (found !== undefined) return found;
  const made = factoryOf(key)();
  known.instances.set(key, made);
  return made;
}

/** The engine of a thread over a store. Engines of one store share its locks, so that a context has one holder. */
export function startedOf(store: ThreadStore, parts: LegacyRuntimeParts, thread: AnyThread): Started {
  const threads = known.started.get(store) ?? new Map<AnyThread, Started>();
  known.started.set(store, threads);
  const found = threads.get(thread);
  if (found !== undefined) return found;
  const { clock, logger, historyItems = DEFAULT_HISTORY_ITEMS } = parts;
  const locks = parts.locks ?? known.locks.get(store) ?? localLocks(clock === undefined ? {} : { clock });
  known.locks.set(store, locks);
  const scopes = createScopes(store, async ({ tenant }) => {
    const env = await getThreadEnv();
    // An environment may hold a tenant's secrets: another tenant's turn is not resumed with it.
    if ((await getThreadRuntime(env)).tenant !== tenant)
      throw unsupported(
        `Resuming a turn of the tenant ${tenant} with the environment of another`,
        "Register the tenant's environment with registerThreadEnv in a process of its own, or use `defineThread` with `services`.",
      );
    return { env, options: {}, write: undefined };
  });
  const definition = definitionOf(hooksOf(thread), scopes, historyItems);
  const engine = createEngine({
    store,
    threads: [definition],
    locks,
    historyItems,
    ...(clock === undefined ? {} : { clock }),
    ...(logger === undefined ? {} : { logger }),
  });
  const closing = new AbortController();
  const close = (): Promise<void> => {
    closing.abort(
      new HebraError("CLOSED", "The engine was closed before the turn ended; it will be resumed.", { retryable: true }),
    );
    return engine.close();
  };
  const made = { engine: { ...engine, close }, scopes, closed: closing.signal };
  threads.set(thread, made);
  return made;
}

/** Where an old identifier points: a context by its id, else a thread by that key. */
export async function addressOf(
  store: ThreadStore,
  tenant: string,
  identifier: ContextIdentifier | null | undefined,
): Promise<{ ref: ThreadRef; key: string; contextId: string; exists: boolean }> {
  if (identifier?.id !== undefined) {
    const found = await store.load(tenant, { contextId: identifier.id });
    if (found !== undefined)
      return { ref: { contextId: found.context.id }, key: found.thread.key, contextId: found.context.id, exists: true };
  }
  const key = identifier?.id ?? identifier?.key ?? globalThis.crypto.randomUUID();
  const found = await store.load(tenant, { key });
  const contextId = found?.context.id ?? mainContextIdOf(tenant, threadIdOf(tenant, key));
  return { ref: { key }, key, contextId, exists: found !== undefined };
}

function reading(store: ThreadStore, tenant: string, items: number): LegacyThreadStore {
  const load = async (identifier: ContextIdentifier) => {
    const { ref, exists } = await addressOf(store, tenant, identifier);
    return exists ? store.load(tenant, ref) : undefined;
  };
  const half: LegacyThreadStore = {
    async getThread(identifier) {
      const found = await load(identifier);
      return found === undefined ? null : toStoredThread(found.thread, found.context);
    },
    async getContext(identifier) {
      const found = await load(identifier);
      return found === undefined ? null : toStoredContext(found.thread, found.context);
    },
    async getOrCreateContext(identifier) {
      const { ref, key, contextId, exists } = await addressOf(store, tenant, identifier);
      const found = exists ? await store.load(tenant, ref) : undefined;
      if (found !== undefined) return toStoredContext(found.thread, found.context);
      return {
        id: contextId,
        threadId: threadIdOf(tenant, key),
        key,
        status: "open",
        createdAt: new Date(),
        content: null,
      };
    },
    async getItems(identifier) {
      const found = await load(identifier);
      if (found === undefined) return [];
      const history = await store.history(tenant, found.context.id, { items });
      return Promise.all(
        history.map(async ({ item, parts }) =>
          toThreadItem(item, parts, await triggerIdOf(store, tenant, item.executionId, item.id)),
        ),
      );
    },
  };
  return new Proxy(half, {
    get(target, name) {
      if (typeof name === "symbol" || name === "then" || name in target) return Reflect.get(target, name) as unknown;
      return () =>
        Promise.reject(
          unsupported(
            `The store's ${name}()`,
            "Turns write their own rows: use `engine.react`, and read with `engine.history` and `engine.context`.",
          ),
        );
    },
  });
}

/** A trigger goes by the id that its caller gave it. */
async function triggerIdOf(
  store: ThreadStore,
  tenant: string,
  executionId: string | null,
  itemId: string,
): Promise<string> {
  if (executionId === null || itemId !== deriveId("item", executionId, "trigger")) return itemId;
  return (await store.execution(tenant, executionId))?.execution.triggerId ?? itemId;
}
