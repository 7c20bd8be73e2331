import type { RawDeadLetter } from "../backend.ts";
import { tenantOf } from "./state.ts";

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

/** An empty store. Parked letters are never dropped. */
export function createDeadLetterStore(limit: number, perTenant: number): DeadLetterStore {
  const letters = new Map<string, RawDeadLetter>();
  /** Ids of the letters of each tenant that may be dropped, the oldest first. */
  const byTenant = new Map<string, Set<string>>();
  let last = 0;
  const remove = (id: string): boolean => {
    const letter = letters.get(id);
    if (letter === undefined) return false;
    const own = byTenant.get(tenantOf(letter.conversation));
    own?.delete(id);
    if (own?.size === 0) byTenant.delete(tenantOf(letter.conversation));
    return letters.delete(id);
  };
  const forgetOldest = () => {
    for (const letter of letters.values()) {
      if (letter.parked) continue;
      remove(letter.id);
      return;
    }
  };
  return {
    add(letter) {
      const id = String(++last);
      letters.set(id, { ...letter, id });
      if (!letter.parked) {
        const tenant = tenantOf(letter.conversation);
        const own = byTenant.get(tenant) ?? new Set();
        byTenant.set(tenant, own.add(id));
        if (own.size > perTenant) remove(own.values().next().value!);
      }
      if (letters.size > limit) forgetOldest();
      return id;
    },
    get: (id) => letters.get(id),
    remove,
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
