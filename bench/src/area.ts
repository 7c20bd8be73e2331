/** What is compared with what, in one unit. */
export interface Result {
  case: string;
  subject: string;
  /** The median of the rounds. */
  value: number;
  unit: string;
  /** The figure of each round, in order. */
  rounds: number[];
}

/** A budget and whether it was kept. */
export interface Bar {
  value: number;
  bound: number;
  unit: string;
  ok: boolean;
}

/** What an area is given to measure with. */
export interface BenchContext {
  /** Fewer and shorter rounds: to see that it runs, not to quote. */
  readonly quick: boolean;
  /**
   * Measures subjects in alternating rounds, so that what else the machine does falls on all of them, and records each
   * one's median. A first round that is not counted warms up.
   */
  compare(
    name: string,
    unit: string,
    rounds: number,
    subjects: Record<string, () => Promise<number>>,
  ): Promise<Record<string, Result>>;
  /** Records what was measured otherwise: the figures of each subject, of which the median counts. */
  record(name: string, unit: string, subjects: Record<string, readonly number[]>): Record<string, Result>;
  /** Records the verdict on one budget: the value must be at most, or at least, the bound. */
  bar(name: string, value: number, relation: "<=" | ">=", bound: number, unit: string): void;
  /** A sentence printed beneath the tables: what a figure means, or under which settings it was taken. */
  note(text: string): void;
}

/** `bench/<area>/index.ts` exports one as `area`. */
export interface Area {
  /** The packages whose versions stand in the report. */
  packages: readonly string[];
  run(context: BenchContext): Promise<void>;
}

/** The middle value, or the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which that share of the others lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
