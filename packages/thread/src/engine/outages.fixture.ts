import { HebraError } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";

/** A store that can be away: every call fails until it is back. */
export interface FlakyStore extends ThreadStore {
  /** Fails the next calls of a verb. */
  fail(verb: keyof ThreadStore, times: number): void;
  down(): void;
  up(): void;
}

const verbs = [
  "begin",
  "commit",
  "takeOver",
  "requestCancel",
  "decideApproval",
  "load",
  "execution",
  "history",
  "journal",
  "stateAt",
  "approval",
] as const;

/** @param under - where the rows are */
export function flakyStore(under: ThreadStore): FlakyStore {
  let away = false;
  const failing = new Map<string, number>();
  const away_ = (what: string) => new HebraError("UNREACHABLE", `The database has not answered: ${what}.`);
  const store = Object.create(under) as FlakyStore;
  for (const verb of verbs) {
    const call = under[verb].bind(under) as (...args: unknown[]) => Promise<unknown>;
    Object.defineProperty(store, verb, {
      value: async (...args: unknown[]) => {
        const left = failing.get(verb) ?? 0;
        failing.set(verb, left - 1);
        if (away || left > 0) throw away_(verb);
        return call(...args);
      },
    });
  }
  return Object.assign(store, {
    system: () => {
      if (away) throw away_("system");
      return under.system();
    },
    fail: (verb: keyof ThreadStore, times: number) => void failing.set(verb, times),
    down: () => void (away = true),
    up: () => void (away = false),
  });
}
