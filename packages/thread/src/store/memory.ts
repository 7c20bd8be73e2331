import { parseOptions } from "@hebra/core";
import * as z from "zod";
import { createMemoryTables } from "./memory/tables.ts";
import type { ThreadStore } from "./store.ts";
import { createTableStore } from "./table-store.ts";
import type { Verb } from "./verbs/op.ts";
import { runSync } from "./verbs/resolve.ts";
import { createWatchers } from "./watchers.ts";

/** How {@link memoryStore} is made. It has no options yet. */
export type MemoryStoreOptions = Record<string, never>;

/**
 * Keeps threads in this process' memory: the reference of the store contract, for tests, and for runs whose rows nobody
 * needs afterwards. Nothing that goes in or comes out is shared with the caller.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const store = memoryStore();
 * console.log(await store.load("default", { key: "award_42" })); // undefined
 * await store.close();
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): ThreadStore {
  parseOptions("memoryStore", z.strictObject({}), options);
  const tables = createMemoryTables();
  const watchers = createWatchers();
  const run = <T>(verb: Verb<T>): T => {
    const undo: (() => void)[] = [];
    try {
      const { value, news } = runSync(verb, { find: tables.find, write: (change) => tables.write(change, undo) });
      for (const { tenant, contextId } of news) watchers.notify(tenant, contextId);
      return value;
    } catch (error) {
      for (const back of undo.reverse()) back();
      throw error;
    }
  };
  const once = async <T>(verb: () => Verb<T>): Promise<T> => run(verb());
  return createTableStore({
    name: "memory",
    scope: "process",
    read: once,
    snapshot: once,
    write: once,
    step: once,
    watch: watchers.watch,
    now: () => Date.now(),
    async close() {
      watchers.close();
    },
  });
}
