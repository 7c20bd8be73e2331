import { HebraError } from "@hebra/core";
import { factories, factoryOf } from "./factories.ts";
import type { Thread } from "./thread.ts";
import type { Loose } from "./types.ts";

/** @deprecated Use the name of a definition. */
export type ThreadKey = string;
/** @deprecated Pass definitions to `createEngine`. */
export type ThreadFactory = () => Thread<Loose, Loose>;

/** @deprecated Pass definitions to `createEngine({ threads })`. @throws HebraError `INVALID_OPTIONS` */
export function registerThread(key: ThreadKey, factory: ThreadFactory): void {
  if (typeof key !== "string" || key === "")
    throw new HebraError("INVALID_OPTIONS", "registerThread: the key must be a text that is not empty.");
  if (typeof factory !== "function")
    throw new HebraError("INVALID_OPTIONS", "registerThread: the factory must be a function.");
  factories.set(key, factory);
}

/** @deprecated An engine knows its definitions by name. @throws HebraError `DEFINITION_MISSING` */
export function getThread(key: ThreadKey): Thread<Loose, Loose> {
  return getThreadFactory(key)();
}

/** @deprecated An engine knows its definitions by name. @throws HebraError `DEFINITION_MISSING` */
export function getThreadFactory(key: ThreadKey): ThreadFactory {
  return factoryOf(key) as ThreadFactory;
}

/** @deprecated An engine knows its definitions by name. */
export function hasThread(key: ThreadKey): boolean {
  return factories.has(key);
}

/** @deprecated An engine knows its definitions by name. */
export function listThreads(): ThreadKey[] {
  return [...factories.keys()];
}
