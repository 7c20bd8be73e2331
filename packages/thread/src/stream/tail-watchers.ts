/** Who in this process waits for news of which turn. */
export interface TailWatchers {
  watch(key: string, onNews: () => void): () => void;
  /** @param key - nothing: everybody */
  notify(key?: string): void;
  readonly size: number;
}

export function createTailWatchers(): TailWatchers {
  const byKey = new Map<string, Set<() => void>>();
  return {
    watch(key, onNews) {
      const call = () => onNews();
      const calls = byKey.get(key) ?? new Set();
      byKey.set(key, calls.add(call));
      return () => {
        calls.delete(call);
        if (calls.size === 0 && byKey.get(key) === calls) byKey.delete(key);
      };
    },
    notify(key) {
      const told = key === undefined ? [...byKey.values()] : [byKey.get(key) ?? new Set<() => void>()];
      for (const call of told.flatMap((calls) => [...calls])) call();
    },
    get size() {
      return byKey.size;
    },
  };
}
