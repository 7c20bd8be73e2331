/** A source of numbers in [0, 1). */
export type Random = () => number;

/** mulberry32: the same numbers for the same seed. Source: Tommy Ettinger, public domain. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export const pick = <T>(from: readonly T[], random: Random): T => from[Math.floor(random() * from.length)]!;

/**
 * Watches for how long the event loop is blocked at most, as CPU time between two turns of it: a machine that is busy
 * with something else does not count.
 */
export function blockedMs(): { stop(): number } {
  let longest = 0;
  let running = true;
  let before = process.cpuUsage();
  const look = () => {
    const now = process.cpuUsage();
    longest = Math.max(longest, (now.user - before.user + now.system - before.system) / 1_000);
    before = now;
    if (running) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop() {
      running = false;
      return longest;
    },
  };
}
