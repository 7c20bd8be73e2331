import { wilsonUpper } from "../rollout/guards/frozen-baseline.ts";
import type { FieldDifference } from "./comparator.ts";

/** How often each field differs between the engines, and between two runs of the old one. */
export interface NoiseModel {
  /** A run of the new engine against the old one. */
  observe(differences: readonly FieldDifference[]): void;
  /** A second run of the old engine against its first. */
  calibrate(differences: readonly FieldDifference[]): void;
  /** Whether every difference is in a field that the old engine itself does not reproduce as often. */
  explained(differences: readonly FieldDifference[]): boolean;
  /** How often the old engine was compared with itself. */
  calibrations(): number;
  /** By field, most frequent first. */
  fields(): readonly FieldNoise[];
}

/** One field's figures. */
export interface FieldNoise {
  readonly path: string;
  /** Runs in which the engines differed, of all compared. */
  readonly differs: number;
  readonly compared: number;
  /** Runs in which the old engine differed from itself. */
  readonly noise: number;
  readonly calibrated: number;
  /** The engines differ more often than the old one from itself, beyond chance. */
  readonly beyondNoise: boolean;
}

/** Both limits at 99 %. */
const Z = 2.575829;

/**
 * A/A noise, by the idea of Diffy (Twitter, 2015): a field in which the old engine disagrees with itself says nothing
 * about the new one, unless the new
 * one disagrees more often.
 */
export function createNoiseModel(): NoiseModel {
  const differs = new Map<string, number>();
  const noise = new Map<string, number>();
  let compared = 0;
  let calibrated = 0;
  const add = (counts: Map<string, number>, differences: readonly FieldDifference[]) => {
    for (const path of new Set(differences.map((difference) => difference.path)))
      counts.set(path, (counts.get(path) ?? 0) + 1);
  };
  const beyond = (path: string): boolean => {
    const seen = noise.get(path) ?? 0;
    if (seen === 0) return (differs.get(path) ?? 0) > 0;
    // Both shares are estimates: with the lower limit of the one against the upper of the other, chance says nothing.
    const least = 1 - wilsonUpper(compared - (differs.get(path) ?? 0), compared, Z);
    return compared > 0 && least > wilsonUpper(seen, calibrated, Z);
  };
  return {
    observe(differences) {
      compared++;
      add(differs, differences);
    },
    calibrate(differences) {
      calibrated++;
      add(noise, differences);
    },
    calibrations: () => calibrated,
    explained: (differences) => differences.every((difference) => !beyond(difference.path)),
    fields: () =>
      [...new Set([...differs.keys(), ...noise.keys()])]
        .map((path) => ({
          path,
          differs: differs.get(path) ?? 0,
          compared,
          noise: noise.get(path) ?? 0,
          calibrated,
          beyondNoise: beyond(path),
        }))
        .sort((a, b) => b.differs - a.differs),
  };
}
