/** Runs work of one key in the order of its calls, one after the other. Keys do not wait for one another. */
export interface OneAtATime {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Keys of which something runs or waits. */
  size(): number;
}

export function createOneAtATime(): OneAtATime {
  const lines = new Map<string, { last: Promise<unknown>; size: number }>();
  return {
    size: () => lines.size,
    run(key, work) {
      const line = lines.get(key) ?? { last: Promise.resolve(), size: 0 };
      lines.set(key, line);
      line.size++;
      const result = line.last.then(work);
      line.last = result
        .catch(() => undefined)
        .then(() => {
          if (--line.size === 0) lines.delete(key);
        });
      return result;
    },
  };
}
