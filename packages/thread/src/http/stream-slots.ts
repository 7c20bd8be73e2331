import { HebraError } from "@hebra/core";

/** Counts open event streams. */
export interface StreamSlots {
  /** @returns gives the slot back; more than once is harmless. @throws HebraError `BACKLOG_FULL` */
  take(place: string): () => void;
}

/** @param limits - open streams of one place, and of all */
export function createStreamSlots({ perPlace, inAll }: { perPlace: number; inAll: number }): StreamSlots {
  const open = new Map<string, number>();
  let total = 0;
  return {
    take(place) {
      const here = open.get(place) ?? 0;
      if (total >= inAll || here >= perPlace)
        throw new HebraError("BACKLOG_FULL", "There are too many event streams. Close one, or come back later.");
      open.set(place, here + 1);
      total++;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        total--;
        const left = open.get(place)! - 1;
        if (left === 0) open.delete(place);
        else open.set(place, left);
      };
    },
  };
}
