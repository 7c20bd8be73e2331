import type { PhaseReport } from "./records.ts";

/** One figure against what it is held to. */
export interface Bar {
  value: number;
  bound: number;
  unit: string;
  ok: boolean;
}

/** The bars of a run, by name. */
export interface Bars {
  readonly all: Readonly<Record<string, Bar>>;
  /** A count of what must not be, added to what was counted before. Decides about the exit code. */
  none(name: string, count: number, unit: string): void;
  /** A count of what must have been, lest the run showed nothing. Decides about the exit code. */
  some(name: string, count: number, unit: string): void;
  /** A time within which all must be well again. Three times as long decides about the exit code. */
  within(name: string, ms: number, bound: number): void;
  /** A rate. */
  atLeast(name: string, value: number, bound: number, unit: string): void;
  /** A time or a ratio. */
  atMost(name: string, value: number, bound: number, unit: string): void;
  /** Whether every bar that decides about it holds. */
  correct(): boolean;
}

/** So many times its bound a time to recover may take on a busy machine. */
const TOLERANCE = 3;

export function createBars(): Bars {
  const all: Record<string, Bar> = {};
  // The others are times: missed on a busy machine, they are reported as missed.
  const correctness = new Set<string>();
  const set = (name: string, bar: Bar) => void (all[name] = bar);
  return {
    all,
    none(name, count, unit) {
      correctness.add(name);
      const value = (all[name]?.value ?? 0) + count;
      set(name, { value, bound: 0, unit, ok: value === 0 });
    },
    some(name, count, unit) {
      correctness.add(name);
      set(name, { value: count, bound: 1, unit: `${unit}, at least`, ok: count >= 1 });
    },
    within(name, ms, bound) {
      // Machines differ, and some are busy.
      if (ms > TOLERANCE * bound) correctness.add(name);
      set(name, { value: Math.round(ms), bound, unit: "ms", ok: ms <= bound });
    },
    atLeast: (name, value, bound, unit) =>
      set(name, { value: Math.round(value), bound, unit: `${unit}, at least`, ok: value >= bound }),
    atMost: (name, value, bound, unit) =>
      set(name, { value: Math.round(value * 100) / 100, bound, unit, ok: value <= bound }),
    correct: () => Object.entries(all).every(([name, { ok }]) => ok || !correctness.has(name)),
  };
}

/** What no phase may have. */
export function hold(report: PhaseReport, bars: Bars): void {
  bars.none("order-violations", report.orderViolations, "messages");
  bars.none("overlaps", report.overlaps, "turns");
  bars.none("lost", report.lost, "messages");
  bars.none("double-commits", report.doubleCommits, "turns");
  bars.none("mixed-conversations", report.misdelivered, "messages");
  bars.none("unwitnessed", report.unwitnessed, "messages");
  bars.none("unsettled", report.settled ? 0 : 1, "phases");
}
