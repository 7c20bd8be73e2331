/** Remembers so many at most; the oldest go first. */
export function boundedSet(max: number): Pick<Set<string>, "add" | "delete" | "has"> {
  const all = new Set<string>();
  return {
    add(value) {
      all.delete(value);
      all.add(value);
      if (all.size > max) all.delete(all.values().next().value!);
      return all;
    },
    delete: (value) => all.delete(value),
    has: (value) => all.has(value),
  };
}
