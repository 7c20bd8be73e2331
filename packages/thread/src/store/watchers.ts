/** Who in this process waits for news of which context. */
export interface Watchers {
  watch(tenant: string, contextId: string, onInbox: () => void): () => void;
  notify(tenant: string, contextId: string): void;
  /** The contexts that somebody watches. */
  watched(): { tenant: string; contextId: string }[];
  close(): void;
}

/**
 * Calls back after the current work has ended, so that a callback never runs inside a write.
 *
 * @param onChange - told when the first watcher comes and when the last one goes.
 */
export function createWatchers(onChange: (some: boolean) => void = () => undefined): Watchers {
  const byContext = new Map<string, Set<() => void>>();
  return {
    watch(tenant, contextId, onInbox) {
      const key = JSON.stringify([tenant, contextId]);
      // A wrapper of its own, so that one function may watch twice.
      const call = () => onInbox();
      const calls = byContext.get(key) ?? new Set();
      byContext.set(key, calls.add(call));
      if (byContext.size === 1 && calls.size === 1) onChange(true);
      return () => {
        if (!calls.delete(call) || calls.size > 0) return;
        byContext.delete(key);
        if (byContext.size === 0) onChange(false);
      };
    },
    notify(tenant, contextId) {
      const calls = byContext.get(JSON.stringify([tenant, contextId]));
      if (calls === undefined) return;
      for (const call of [...calls]) queueMicrotask(() => calls.has(call) && call());
    },
    watched: () =>
      [...byContext.keys()].map((key) => {
        const [tenant, contextId] = JSON.parse(key) as [string, string];
        return { tenant, contextId };
      }),
    close() {
      if (byContext.size > 0) onChange(false);
      byContext.clear();
    },
  };
}
