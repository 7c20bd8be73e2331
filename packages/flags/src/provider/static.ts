import { HebraError } from "@hebra/core";
import { parseFlagDocument } from "../evaluate/document.ts";
import type { FlagDocument } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent } from "./provider.ts";

/** A provider whose document the host itself holds. */
export interface StaticProvider extends FlagProvider {
  /**
   * Puts another document in force.
   *
   * @throws HebraError `FLAG_INVALID`; the document before stays in force.
   */
  set(document: FlagDocument): void;
  /** The document in force. */
  document(): FlagDocument;
}

/**
 * Flags from a document in memory, for tests, demos and coded defaults.
 *
 * @throws HebraError `FLAG_INVALID`
 *
 * @example
 * ```ts
 * import { createFlags, staticProvider } from "@hebra/flags";
 *
 * const source = staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, allow: { org: ["acme"] } } } });
 * const flags = createFlags({ provider: source });
 * console.log(flags.decide("engine-v2", { session: "s1", org: "acme" }).mode); // new
 * source.set({ flags: {}, rollouts: { "engine-v2": { version: 2, canary: { percent: 25 } } } });
 * await flags.close();
 * ```
 */
export function staticProvider(document: FlagDocument): StaticProvider {
  let current = parseFlagDocument(document);
  let closed = false;
  const listeners = new Set<(event: ProviderEvent) => void>();
  return {
    name: "static",
    load() {
      if (closed) throw new HebraError("CLOSED", "The static flag provider is closed.");
      return { document: current };
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(next) {
      current = parseFlagDocument(next);
      for (const listener of listeners) listener({ type: "snapshot-loaded", snapshot: { document: current } });
    },
    document: () => current,
    close() {
      closed = true;
      listeners.clear();
      return Promise.resolve();
    },
  };
}
