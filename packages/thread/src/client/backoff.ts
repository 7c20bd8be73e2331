import type { Timer } from "./platform.ts";

const BASE_MS = 500;
const MAX_MS = 30_000;

/** Tries again, each time later, with full jitter. */
export function createBackoff(timer: Timer, random: () => number) {
  return {
    /** @param failed - throws what is not to be tried again */
    async retry<T>(work: () => Promise<T>, goesOn: () => boolean, failed: (error: unknown) => void): Promise<T> {
      for (let attempt = 0; ; attempt++) {
        try {
          return await work();
        } catch (error) {
          if (!goesOn()) throw error;
          failed(error);
          const ms = random() * Math.min(MAX_MS, BASE_MS * 2 ** attempt);
          await new Promise<void>((resolve) => timer(ms, resolve));
        }
      }
    },
  };
}
