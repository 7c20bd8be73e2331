/** Remembers keys for at least a window and at most two, in two generations. */
export interface DedupWindow {
  has(key: string, now: number): boolean;
  add(key: string, now: number): void;
  remove(key: string): void;
  readonly size: number;
}

/** An empty window. */
export function createDedupWindow(windowMs: number): DedupWindow {
  let generation = 0;
  let present = new Set<string>();
  let past = new Set<string>();
  const turn = (now: number) => {
    const current = Math.floor(now / windowMs);
    if (current === generation) return;
    past = current === generation + 1 ? present : new Set();
    present = new Set();
    generation = current;
  };
  return {
    has(key, now) {
      turn(now);
      return present.has(key) || past.has(key);
    },
    add(key, now) {
      turn(now);
      present.add(key);
    },
    remove(key) {
      present.delete(key);
      past.delete(key);
    },
    get size() {
      return present.size + past.size;
    },
  };
}
