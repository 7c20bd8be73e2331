import { errorCode, parseOptions, systemClock, type Clock } from "@hebra/core";
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { murmur3 } from "../evaluate/murmur.ts";
import type { Arm } from "../evaluate/types.ts";
import type { Exposure, Outcome, RouteObserver } from "../route/router.ts";
import { noShadow, type ArmRow, type CounterRow, type ShadowCounts } from "./counter-row.ts";
import { bucketOf } from "./histogram.ts";
import type { RolloutStore } from "./store/store.ts";

/** What a host knows of a session's turn that the router cannot see. */
export interface SessionFacts {
  /** An incident whose code no rule knows. */
  readonly unknown?: boolean;
  readonly actionFailed?: boolean;
  /** Of the turn, in any unit; the session's first one counts. */
  readonly cost?: number;
  /** Steps of the turn; the session's first one counts. */
  readonly steps?: number;
  /** A declared operation on the new engine. */
  readonly operation?: { readonly name: string; readonly ok: boolean };
}

/** Options of {@link createCollector}. */
export interface CollectorOptions {
  readonly store: Pick<RolloutStore, "report">;
  /** Unique to the life of the process. @defaultValue a random UUID */
  readonly source?: string;
  /** Length of a block, ms; the same in all processes. @defaultValue 300,000 */
  readonly blockMs?: number;
  /** Time between two reports, ms; 0 reports only when told to. @defaultValue 5,000 */
  readonly flushMs?: number;
  /** Sessions kept in mind; the oldest are forgotten first. @defaultValue 50,000 */
  readonly maxSessions?: number;
  /** Codes of errors that are counted by class, for the critical guard. @defaultValue [] */
  readonly errorClasses?: readonly string[];
  /** Told when a report failed; it is sent again with the next. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
}

/** Counts sessions for the guards. */
export interface Collector {
  /** For `createRouter`. */
  readonly observer: Required<Pick<RouteObserver, "exposed" | "finished">>;
  /** What the host knows besides. Unknown sessions and sessions of no arm are ignored. */
  record(flag: string, session: string, facts: SessionFacts): void;
  /** Finished executions of the new arm whose rows were verified. */
  verified(flag: string, complete: boolean): void;
  /** What the shadow runner found. */
  compared(flag: string, counts: Partial<ShadowCounts>): void;
  /** Reports what changed. */
  flush(): Promise<void>;
  /** Flushes and leaves no timer. */
  close(): Promise<void>;
}

interface Side {
  assigned: number;
  exposed: number;
  readonly failed: Set<number>;
  readonly unknown: Set<number>;
  readonly actionFailed: Set<number>;
  readonly durations: Map<number, number>;
  readonly costs: Map<number, number>;
  readonly steps: Map<number, number>;
}

interface Row {
  readonly flag: string;
  readonly start: number;
  sequence: number;
  dirty: boolean;
  readonly sides: Readonly<Record<Arm, Side>>;
  readonly operations: Map<string, { attempts: number; successes: number }>;
  readonly errorClasses: Map<string, number>;
  readonly persistence: { checked: number; missing: number };
  readonly shadow: Record<string, number>;
}

interface Known {
  readonly row: Row;
  readonly arm: Arm;
  /** Whether this process drew the session: it alone samples it, or each process that runs a turn of it would. */
  drawn: boolean;
  /** What was sampled of the session already. */
  readonly sampled: Set<"duration" | "cost" | "steps">;
}

const schema = z.strictObject({
  store: z.custom<Pick<RolloutStore, "report">>(
    (value) => typeof (value as RolloutStore | null)?.report === "function",
    "must have report()",
  ),
  source: z.string().min(1).optional(),
  blockMs: z.number().positive().default(300_000),
  flushMs: z.number().min(0).default(5_000),
  maxSessions: z.int().positive().default(50_000),
  errorClasses: z.array(z.string()).default([]),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

/** Rows are kept for sessions that fail late. */
const KEEP_MS = 6 * 3_600_000;

/**
 * Counts what sessions of both arms do and reports it. A session counts in the block in which it started, once per kind
 * of trouble, and one turn of it is
 * sampled: requests of one session are not independent of each other.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, staticProvider } from "@hebra/flags";
 * import { createCollector, memoryRolloutStore } from "@hebra/flags/rollout";
 *
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, canary: {
 * percent: 10 } } } }) });
 * const collector = createCollector({ store: memoryRolloutStore() });
 * const router = createRouter({ flags, observer: collector.observer });
 * await router.route("engine-v2", { session: "s1" }, { legacy: () => "old", next: () => "new", withoutHandover: true
 * });
 * await collector.close();
 * router.close();
 * await flags.close();
 * ```
 */
export function createCollector(options: CollectorOptions): Collector {
  const parsed = parseOptions("createCollector", schema, options);
  const { store, blockMs, flushMs, maxSessions, onError } = parsed;
  const clock = parsed.clock ?? systemClock;
  const source = parsed.source ?? randomUUID();
  const classes = new Set(parsed.errorClasses);
  const rows = new Map<string, Row>();
  const sessions = new Map<string, Known>();
  let cancel = () => {};
  let closed = false;

  function rowAt(flag: string, time: number): Row {
    const start = Math.floor(time / blockMs) * blockMs;
    const key = `${start} ${flag}`;
    let row = rows.get(key);
    if (row === undefined) {
      const side = (): Side => ({
        assigned: 0,
        exposed: 0,
        failed: new Set(),
        unknown: new Set(),
        actionFailed: new Set(),
        durations: new Map(),
        costs: new Map(),
        steps: new Map(),
      });
      row = {
        flag,
        start,
        sequence: 0,
        dirty: true,
        sides: { new: side(), control: side() },
        operations: new Map(),
        errorClasses: new Map(),
        persistence: { checked: 0, missing: 0 },
        shadow: { ...noShadow },
      };
      rows.set(key, row);
    }
    row.dirty = true;
    return row;
  }

  function know({ flag, session, arm, startedAt }: Exposure): Known | undefined {
    if (arm === undefined || session === "") return undefined;
    const key = `${flag} ${session}`;
    const row = rowAt(flag, startedAt);
    const before = sessions.get(key);
    if (before?.row === row && before.arm === arm) return before;
    const known: Known = { row, arm, drawn: false, sampled: new Set() };
    sessions.delete(key);
    sessions.set(key, known);
    if (sessions.size > maxSessions) sessions.delete(sessions.keys().next().value!);
    return known;
  }

  function sample(
    known: Known,
    kind: "duration" | "cost" | "steps",
    histogram: Map<number, number>,
    value: number,
  ): void {
    if (!known.drawn || known.sampled.has(kind)) return;
    known.sampled.add(kind);
    const bucket = bucketOf(value);
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1);
  }

  const observer = {
    exposed(exposure: Exposure) {
      const known = know(exposure);
      if (known === undefined) return;
      known.drawn = true;
      known.row.sides[known.arm].assigned++;
    },
    finished(outcome: Outcome) {
      const known = know(outcome);
      if (known === undefined) return;
      const side = known.row.sides[known.arm];
      if (known.drawn && !known.sampled.has("duration")) side.exposed++;
      sample(known, "duration", side.durations, outcome.latencyMs);
      if (outcome.ok) return;
      side.failed.add(murmur3(outcome.session));
      const code = errorCode(outcome.error) ?? "";
      if (known.arm === "new" && classes.has(code))
        known.row.errorClasses.set(code, (known.row.errorClasses.get(code) ?? 0) + 1);
    },
  };

  function toRow(row: Row): CounterRow {
    const pairs = (counts: Map<number, number>) => [...counts].sort((a, b) => a[0] - b[0]);
    const arm = (side: Side): ArmRow => ({
      assigned: side.assigned,
      exposed: side.exposed,
      failed: [...side.failed],
      unknown: [...side.unknown],
      actionFailed: [...side.actionFailed],
      durations: pairs(side.durations),
      costs: pairs(side.costs),
      steps: pairs(side.steps),
    });
    return {
      flag: row.flag,
      source,
      sequence: row.sequence,
      start: row.start,
      end: row.start + blockMs,
      new: arm(row.sides.new),
      legacy: arm(row.sides.control),
      ...(row.operations.size === 0
        ? {}
        : { operations: Object.fromEntries([...row.operations].map(([name, counts]) => [name, { ...counts }])) }),
      ...(row.errorClasses.size === 0 ? {} : { errorClasses: Object.fromEntries(row.errorClasses) }),
      ...(row.persistence.checked === 0 ? {} : { persistence: { ...row.persistence } }),
      ...(Object.values(row.shadow).every((count) => count === 0)
        ? {}
        : { shadow: { ...row.shadow } as unknown as ShadowCounts }),
    };
  }

  async function flush(): Promise<void> {
    const due = [...rows.values()].filter((row) => row.dirty);
    for (const row of due) {
      row.dirty = false;
      row.sequence++;
    }
    try {
      if (due.length > 0) await store.report(due.map(toRow));
    } catch (error) {
      // The next report carries the same rows with a larger sequence: nothing is lost or counted twice.
      for (const row of due) row.dirty = true;
      onError(error);
    }
    const oldest = clock.now() - KEEP_MS;
    for (const [key, row] of rows) if (!row.dirty && row.start + blockMs < oldest) rows.delete(key);
    for (const [key, { row }] of sessions) if (row.start + blockMs < oldest) sessions.delete(key);
  }

  function schedule(): void {
    if (flushMs === 0 || closed) return;
    cancel = clock.after(flushMs, () => void flush().finally(schedule));
  }
  schedule();

  return {
    observer,
    record(flag, session, facts) {
      const known = sessions.get(`${flag} ${session}`);
      if (known === undefined) return;
      const { row, arm } = known;
      const side = row.sides[arm];
      row.dirty = true;
      if (facts.unknown === true) side.unknown.add(murmur3(session));
      if (facts.actionFailed === true) side.actionFailed.add(murmur3(session));
      if (facts.cost !== undefined) sample(known, "cost", side.costs, facts.cost);
      if (facts.steps !== undefined) sample(known, "steps", side.steps, facts.steps);
      if (facts.operation !== undefined && arm === "new") {
        const counts = row.operations.get(facts.operation.name) ?? { attempts: 0, successes: 0 };
        row.operations.set(facts.operation.name, {
          attempts: counts.attempts + 1,
          successes: counts.successes + (facts.operation.ok ? 1 : 0),
        });
      }
    },
    verified(flag, complete) {
      const { persistence } = rowAt(flag, clock.now());
      persistence.checked++;
      if (!complete) persistence.missing++;
    },
    compared(flag, counts) {
      const { shadow } = rowAt(flag, clock.now());
      for (const [name, count] of Object.entries(counts)) shadow[name] = (shadow[name] ?? 0) + count;
    },
    flush,
    async close() {
      closed = true;
      cancel();
      await flush();
    },
  };
}
