/** Something with a place in a {@link DueHeap}. */
export interface Due {
  /** When, in milliseconds; `Infinity` is never. */
  dueAt: number;
  /** Its place in the heap, kept by the heap; -1 when it is in none. */
  heapIndex: number;
  /** Breaks ties, so that equal times come out in one order on every backend. */
  readonly dueKey: string;
}

/** A binary heap of things by time, from which anything can be taken out in O(log n). */
export interface DueHeap<T extends Due> {
  /** The earliest, still inside. */
  peek(): T | undefined;
  /** Puts something in, or moves it, to a time. */
  set(item: T, dueAt: number): void;
  /** Takes something out; nothing happens when it is not in. */
  remove(item: T): void;
  /** How many are in. */
  readonly size: number;
  /** All of them, in no order. */
  items(): readonly T[];
}

function before(a: Due, b: Due): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.dueKey < b.dueKey);
}

/** An empty heap. */
export function createDueHeap<T extends Due>(): DueHeap<T> {
  const items: T[] = [];
  const place = (item: T, index: number) => {
    items[index] = item;
    item.heapIndex = index;
  };
  const up = (item: T, from: number) => {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(item, items[parent]!)) break;
      place(items[parent]!, index);
      index = parent;
    }
    place(item, index);
  };
  const down = (item: T, from: number) => {
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++;
      if (!before(items[child]!, item)) break;
      place(items[child]!, index);
      index = child;
    }
    place(item, index);
  };
  const remove = (item: T) => {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = items.pop()!;
    if (last === item) return;
    if (index > 0 && before(last, items[(index - 1) >> 1]!)) up(last, index);
    else down(last, index);
  };
  return {
    peek: () => items[0],
    set(item, dueAt) {
      remove(item);
      item.dueAt = dueAt;
      items.push(item);
      up(item, items.length - 1);
    },
    remove,
    get size() {
      return items.length;
    },
    items: () => items,
  };
}
