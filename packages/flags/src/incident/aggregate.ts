import type { Incident } from "./incident.ts";

/** Incidents of one fingerprint in one window. */
export interface IncidentRow {
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly fingerprint: string;
  readonly code: string;
  readonly component: string;
  readonly matched: boolean;
  readonly count: number;
  /** ISO 8601 instants. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** One incident of the row. */
  readonly example: string;
}

/** Everything in one window: a rate needs what went well too. */
export interface IncidentWindow {
  readonly start: number;
  readonly end: number;
  readonly attempts: number;
  readonly failures: number;
  /** Incidents that no rule knows. */
  readonly unknown: number;
}

/** Counts incidents and successes by window. */
export interface IncidentAggregator {
  add(incident: Pick<Incident, "id" | "at" | "signature" | "decision">): void;
  /** Something of the component went well. @param count - @defaultValue 1 */
  success(component: string, count?: number): void;
  /** Rows of all windows kept, oldest first. */
  rows(): IncidentRow[];
  /** One entry a window, empty ones too, oldest first. @param component - @defaultValue all */
  windows(component?: string): IncidentWindow[];
}

interface Window {
  readonly rows: Map<string, IncidentRow>;
  readonly successes: Map<string, number>;
}

/**
 * Aggregates by fingerprint and window.
 *
 * @param options - `now`: milliseconds since the epoch; `windowMs` (default 300,000); `keep`: windows (default 288).
 */
export function createIncidentAggregator({
  now,
  windowMs = 300_000,
  keep = 288,
}: {
  readonly now: () => number;
  readonly windowMs?: number;
  readonly keep?: number;
}): IncidentAggregator {
  const windows = new Map<number, Window>();

  function at(time: number): Window {
    const start = Math.floor(time / windowMs) * windowMs;
    let window = windows.get(start);
    if (window === undefined) {
      windows.set(start, (window = { rows: new Map(), successes: new Map() }));
      for (const old of windows.keys()) if (old <= start - keep * windowMs) windows.delete(old);
    }
    return window;
  }

  return {
    add(incident) {
      const { rows } = at(Date.parse(incident.at));
      const { fingerprint, code, component } = incident.signature;
      const before = rows.get(fingerprint);
      const start = Math.floor(Date.parse(incident.at) / windowMs) * windowMs;
      rows.set(
        fingerprint,
        before === undefined
          ? {
              start,
              fingerprint,
              code,
              component,
              matched: incident.decision.matched,
              count: 1,
              firstAt: incident.at,
              lastAt: incident.at,
              example: incident.id,
            }
          : { ...before, count: before.count + 1, lastAt: incident.at },
      );
    },
    success(component, count = 1) {
      const { successes } = at(now());
      successes.set(component, (successes.get(component) ?? 0) + count);
    },
    rows: () => [...windows].sort((a, b) => a[0] - b[0]).flatMap(([, window]) => [...window.rows.values()]),
    windows(component) {
      const starts = [...windows.keys()].sort((a, b) => a - b);
      const [first, last] = [starts[0], starts.at(-1)];
      if (first === undefined || last === undefined) return [];
      const out: IncidentWindow[] = [];
      for (let start = first; start <= last; start += windowMs) {
        const window = windows.get(start);
        const rows = [...(window?.rows.values() ?? [])].filter(
          (row) => component === undefined || row.component === component,
        );
        const failures = rows.reduce((sum, row) => sum + row.count, 0);
        const successes = [...(window?.successes ?? [])].reduce(
          (sum, [name, count]) => sum + (component === undefined || name === component ? count : 0),
          0,
        );
        const unknown = rows.filter((row) => !row.matched).reduce((sum, row) => sum + row.count, 0);
        out.push({ start, end: start + windowMs, attempts: failures + successes, failures, unknown });
      }
      return out;
    },
  };
}
