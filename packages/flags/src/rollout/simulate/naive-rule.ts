/**
 * What many rollouts do: once each side has `least` turns, roll back as soon as the new engine's share of failing turns
 * is twice the old one's. The figures of the guards stand beside it.
 */
export function createNaiveRule(least = 100): {
  readonly turn: (fresh: boolean, failed: boolean) => void;
  readonly breached: () => boolean;
} {
  const [fresh, legacy] = [
    { turns: 0, failed: 0 },
    { turns: 0, failed: 0 },
  ];
  return {
    turn(isNew, failed) {
      const side = isNew ? fresh : legacy;
      side.turns++;
      if (failed) side.failed++;
    },
    breached: () =>
      Math.min(fresh.turns, legacy.turns) >= least &&
      fresh.failed > 0 &&
      fresh.failed / fresh.turns >= (2 * legacy.failed) / legacy.turns,
  };
}
