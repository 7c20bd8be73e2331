/** One thing that must hold before a host may go on with a rollout: a number and its bound. */
export interface GoNoGoCheck {
  /** The name of the bar; unique in a run. */
  bar: string;
  /** What it belongs to, e.g. `functional`. */
  phase: string;
  unit: string;
  /** The value must be at most, or at least, the bound. */
  relation: "<=" | ">=";
  bound: number;
  /** Takes the measure. What it throws fails the bar, and is told. */
  measure(): Promise<Measured>;
}

/** What a check has found. */
export interface Measured {
  /** `null`: it could not be measured, which is no pass. */
  value: number | null;
  /** What a person should know of it. */
  note?: string;
}

/** One bar of a verdict. */
export interface GoNoGoBar {
  value: number | null;
  bound: number;
  unit: string;
  ok: boolean;
  note?: string;
}

/** What came of a run. Plain JSON. */
export interface GoNoGoReport {
  /** Who was checked. */
  host: string;
  /** Milliseconds since the epoch. */
  at: number;
  phases: { name: string; ok: boolean; ms: number; bars: string[] }[];
  verdict: Record<string, GoNoGoBar>;
  /** All bars hold. */
  ok: boolean;
}
