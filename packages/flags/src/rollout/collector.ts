import { errorCode, HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { murmur3 } from "../evaluate/murmur.ts";
import type { Arm } from "../evaluate/types.ts";
import type { Exposure, Outcome, RouteObserver, Verification } from "../route/router.ts";
import { noArm, noShadow, type CounterRow, type ShadowCounts } from "./counter-row.ts";
import { createBreakdown, type BreakdownCounter } from "./breakdown.ts";
import { bucketOf } from "./histogram.ts";
import type { RolloutStore } from "./store/store.ts";
import { mergeUnits, newUnit, unitFlags, type UnitRow } from "./unit-row.ts";

/** What a host knows of a session's turn besides its outcome. */
export interface SessionFacts {
  /** An incident whose code no rule knows. */
  readonly unknown?: boolean;
  readonly actionFailed?: boolean;
  /** Of one turn, in the unit of every other cost. */
  readonly cost?: number;
  /** Steps of one turn. */
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
  readonly observer: Required<Pick<RouteObserver, "exposed" | "finished" | "verified">>;
  /** What the host knows besides. Unknown sessions and sessions of no arm are ignored. `org` as in the context. */
  record(flag: string, session: string, facts: SessionFacts, org?: string): void;
  /**
   * A finished execution of the new arm whose rows were verified. The turn handle of an engine is verified by the
   * router, without this call.
   */
  verified(flag: string, complete: boolean): void;
  /** What the shadow runner found. */
  compared(flag: string, counts: Partial<ShadowCounts>): void;
  /** Reports what changed. */
  flush(): Promise<void>;
  /** Flushes and leaves no timer. */
  close(): Promise<void>;
}

interface Row {
  readonly flag: string;
  readonly start: number;
  sequence: number;
  dirty: boolean;
  readonly units: Readonly<Record<Arm, Map<number, UnitRow>>>;
  readonly operations: Map<string, { attempts: number; successes: number }>;
  readonly errorClasses: Map<string, number>;
  readonly persistence: { checked: number; missing: number };
  readonly shadow: Record<string, number>;
  readonly breakdown: BreakdownCounter;
}

/** Where a session's facts are booked. */
interface Known {
  readonly row: Row;
  readonly arm: Arm;
  readonly mark: number;
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

/** Codes that stand for whatever nobody classified. An engine stores an error without a code under `REACTOR_FAILED`. */
const CATCH_ALL = new Set(["UNKNOWN", "GENERAL", "INTERNAL", "REACTOR_FAILED"]);
/** Names of operations in a row. */
const MAX_OPERATIONS = 200;
/** Rows are kept for sessions that fail late. */
const KEEP_MS = 6 * 3_600_000;

/**
 * Counts what both arms do, by the flag's bucketing unit, and reports it. A unit counts in the block in which it first
 * started, once per kind of trouble; cost and steps are means over all of its turns, and of its durations one turn is
 * drawn, each with the same chance: turns of one unit are not independent of each other.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, staticProvider } from "@hebra/flags";
 * import { createCollector, memoryRolloutStore } from "@hebra/flags/rollout";
 *
 * const rollouts = { "engine-v2": { version: 1, canary: { percent: 10 } } };
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts }) });
 * const collector = createCollector({ store: memoryRolloutStore() });
 * const router = createRouter({ flags, observer: collector.observer });
 * const engines = { legacy: () => "old", next: () => "new" };
 * // Texts say nothing about their turn, so `outcome` judges them. A turn handle of an engine needs no judge.
 * await router.route("engine-v2", { session: "s1" }, { ...engines, outcome: () => "ok", withoutHandover: true });
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
  let swept: number | undefined;

  function rowAt(flag: string, time: number): Row {
    const start = Math.floor(time / blockMs) * blockMs;
    const key = `${start} ${flag}`;
    let row = rows.get(key);
    if (row === undefined) {
      row = {
        flag,
        start,
        sequence: 0,
        dirty: true,
        units: { new: new Map(), control: new Map() },
        operations: new Map(),
        errorClasses: new Map(),
        persistence: { checked: 0, missing: 0 },
        shadow: { ...noShadow },
        breakdown: createBreakdown(),
      };
      rows.set(key, row);
    }
    row.dirty = true;
    return row;
  }

  function know({ flag, session, unit, arm, startedAt, context }: Exposure): Known | undefined {
    if (arm === undefined || unit === "") return undefined;
    const key = JSON.stringify([flag, context.org, session]);
    const row = rowAt(flag, startedAt);
    const before = sessions.get(key);
    if (before?.row === row && before.arm === arm) return before;
    const known: Known = { row, arm, mark: murmur3(unit) };
    sessions.delete(key);
    sessions.set(key, known);
    if (sessions.size > maxSessions) sessions.delete(sessions.keys().next().value!);
    return known;
  }

  function add(
    { row, arm, mark }: Known,
    facts: Partial<Record<keyof typeof unitFlags, boolean>>,
    more: UnitRow = newUnit(mark),
  ): void {
    let flags = more[1];
    for (const [name, bit] of Object.entries(unitFlags))
      if (facts[name as keyof typeof unitFlags] === true) flags |= bit;
    const [, , ...rest] = more;
    const units = row.units[arm];
    units.set(mark, mergeUnits(units.get(mark) ?? newUnit(mark), [mark, flags, ...rest] as unknown as UnitRow));
    row.dirty = true;
  }

  const told = new Set<string>();
  /** A value that can be counted; NaN and its like would look cheap or slow for ever. */
  function measure(flag: string, name: string, value: number | undefined): number | undefined {
    if (value === undefined || (Number.isFinite(value) && value >= 0)) return value;
    const key = `${flag} ${name}`;
    if (!told.has(key)) {
      told.add(key);
      onError(
        new HebraError(
          "MEASURE_INVALID",
          `${flag}: the ${name} of a turn is ${String(value)} and was not counted. Report a finite number, or leave it out.`,
          {
            details: { flag, name },
          },
        ),
      );
    }
    return undefined;
  }

  const observer = {
    exposed(exposure: Exposure) {
      const known = know(exposure);
      if (known !== undefined) add(known, {});
    },
    finished(outcome: Outcome) {
      const known = know(outcome);
      if (known === undefined) return;
      known.row.breakdown.add(outcome);
      const { flag, status, calls } = outcome;
      const judged = status === "ok" || status === "failed" || status === "incomplete";
      const [cost, steps] = [measure(flag, "cost", outcome.cost), measure(flag, "steps", outcome.steps)];
      const latency = judged ? measure(flag, "latency", outcome.latencyMs) : undefined;
      const failures = calls?.filter((call) => !call.ok).length ?? 0;
      const code = status === "failed" ? (errorCode(outcome.error) ?? outcome.signature?.code ?? "UNKNOWN") : "";
      add(
        known,
        {
          exposed: true,
          judged,
          failed: status === "failed",
          incomplete: status === "incomplete",
          unknown: outcome.unknown ?? CATCH_ALL.has(code),
          called: calls !== undefined,
          actionFailed: failures > 0,
        },
        [
          known.mark,
          0,
          latency === undefined ? 0 : murmur3(`${known.mark} ${outcome.at} ${latency}`),
          latency === undefined ? -1 : bucketOf(latency),
          ...(cost === undefined ? ([0, 0] as const) : ([1, cost] as const)),
          ...(steps === undefined ? ([0, 0] as const) : ([1, steps] as const)),
          calls?.length ?? 0,
          failures,
        ],
      );
      if (known.arm === "new") for (const { name, ok } of calls ?? []) attempted(known.row, name, ok);
      if (status === "failed" && known.arm === "new" && classes.has(code))
        known.row.errorClasses.set(code, (known.row.errorClasses.get(code) ?? 0) + 1);
    },
    verified({ flag, complete }: Verification) {
      verified(flag, complete);
    },
  };

  /** Action calls are operations too. Names come from models: they are bounded. */
  function attempted({ operations }: Row, name: string, ok: boolean): void {
    const { attempts, successes } = operations.get(name) ?? { attempts: 0, successes: 0 };
    if (attempts === 0 && operations.size >= MAX_OPERATIONS) return;
    operations.set(name, { attempts: attempts + 1, successes: successes + (ok ? 1 : 0) });
  }

  function verified(flag: string, complete: boolean): void {
    const { persistence } = rowAt(flag, clock.now());
    persistence.checked++;
    if (!complete) persistence.missing++;
  }

  function toRow(row: Row): CounterRow {
    const breakdown = row.breakdown.row();
    return {
      flag: row.flag,
      source,
      sequence: row.sequence,
      start: row.start,
      end: row.start + blockMs,
      new: { ...noArm, units: [...row.units.new.values()] },
      legacy: { ...noArm, units: [...row.units.control.values()] },
      ...(row.operations.size === 0
        ? {}
        : { operations: Object.fromEntries([...row.operations].map(([name, counts]) => [name, { ...counts }])) }),
      ...(row.errorClasses.size === 0 ? {} : { errorClasses: Object.fromEntries(row.errorClasses) }),
      ...(breakdown === undefined ? {} : { breakdown }),
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
    // Once a block is enough: it walks over everything that is kept.
    const block = Math.floor(clock.now() / blockMs);
    if (block === swept) return;
    swept = block;
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
    record(flag, session, facts, org) {
      const known = sessions.get(JSON.stringify([flag, org, session]));
      if (known === undefined) return;
      const [cost, steps] = [measure(flag, "cost", facts.cost), measure(flag, "steps", facts.steps)];
      const measured: readonly number[] = [
        cost === undefined ? 0 : 1,
        cost ?? 0,
        steps === undefined ? 0 : 1,
        steps ?? 0,
      ];
      add(
        known,
        {
          unknown: facts.unknown ?? false,
          called: facts.actionFailed !== undefined,
          actionFailed: facts.actionFailed ?? false,
        },
        [known.mark, 0, 0, -1, ...measured, 0, 0] as unknown as UnitRow,
      );
      if (facts.operation === undefined || known.arm !== "new") return;
      attempted(known.row, facts.operation.name, facts.operation.ok);
      known.row.dirty = true;
    },
    verified,
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
