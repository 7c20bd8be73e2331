import type { RawDeadLetter } from "../backend.ts";

/** Dead letters in the order they came; beyond the limit the oldest that is not parked goes. */
export interface DeadLetterStore {
  /** @returns the id it got */
  add(letter: Omit<RawDeadLetter, "id">): string;
  get(id: string): RawDeadLetter | undefined;
  remove(id: string): boolean;
  /** The newest first, from the one before `before`. */
  list(limit: number, before: string | undefined): RawDeadLetter[];
  readonly size: number;
}

/** An empty store. */
export function createDeadLetterStore(limit: number): DeadLetterStore {
  const letters = new Map<string, RawDeadLetter>();
  let last = 0;
  const forgetOldest = () => {
    for (const letter of letters.values()) {
      if (letter.parked) continue;
      letters.delete(letter.id);
      return;
    }
  };
  return {
    add(letter) {
      const id = String(++last);
      letters.set(id, { ...letter, id });
      if (letters.size > limit) forgetOldest();
      return id;
    },
    get: (id) => letters.get(id),
    remove: (id) => letters.delete(id),
    list(count, before) {
      const all = [...letters.values()].reverse();
      const from = before === undefined ? all : all.filter((letter) => Number(letter.id) < Number(before));
      return from.slice(0, count);
    },
    get size() {
      return letters.size;
    },
  };
}
