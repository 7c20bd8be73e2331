import {
  createIdGenerator,
  createRedactor,
  errorSignature,
  parseOptions,
  systemClock,
  type Clock,
  type IdGenerator,
  type Redactor,
} from "@hebra/core";
import * as z from "zod";
import { createIncidentAggregator, type IncidentAggregator } from "./aggregate.ts";
import type { DecisionTable } from "./decision-table.ts";
import type { Incident, IncidentContext, IncidentSink } from "./incident.ts";
import type { IncidentSpool } from "./spool.ts";

/** Options of {@link createIncidentRecorder}. */
export interface IncidentRecorderOptions {
  readonly sink: IncidentSink;
  readonly table: DecisionTable;
  /** Which part of the system this is: low-cardinality. */
  readonly component: string;
  /** Keeps incidents while the sink is away. Absent: they wait in memory and end with the process. */
  readonly spool?: IncidentSpool;
  /** Versions of the packages that take part. @defaultValue \{\} */
  readonly versions?: Readonly<Record<string, string>>;
  /** Stands before every context. @defaultValue core's */
  readonly redactor?: Redactor;
  /** Time between two attempts to hand the spool over, ms; 0 only when told to. @defaultValue 10,000 */
  readonly retryMs?: number;
  /** Width of the aggregation's windows, ms. @defaultValue 300,000 */
  readonly windowMs?: number;
  /** Told what went wrong; recording never throws. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  readonly id?: IdGenerator;
  readonly clock?: Clock;
}

/** Records incidents. */
export interface IncidentRecorder {
  /** Makes, decides, counts and keeps one. Never throws, never waits for the sink. */
  record(error: unknown, context?: IncidentContext): Incident;
  /** Something went well: rates need both. */
  success(component?: string): void;
  readonly aggregate: Pick<IncidentAggregator, "rows" | "windows">;
  /** Hands over what waits. @returns whether nothing is left */
  flush(): Promise<boolean>;
  /** Flushes what can be and leaves no timer. */
  close(): Promise<void>;
}

const has = <T>(method: keyof T) =>
  z.custom<T>((value) => typeof (value as T | null)?.[method] === "function", `must have ${String(method)}()`);
const schema = z.strictObject({
  sink: has<IncidentSink>("write"),
  table: has<DecisionTable>("decide"),
  component: z.string().min(1),
  spool: has<IncidentSpool>("append").optional(),
  versions: z.record(z.string(), z.string()).default({}),
  redactor: has<Redactor>("redact").optional(),
  retryMs: z.number().min(0).default(10_000),
  windowMs: z.number().positive().default(300_000),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  id: z.custom<IdGenerator>((value) => typeof value === "function", "must be a function").optional(),
  clock: has<Clock>("now").optional(),
});

/** How many incidents wait in memory when there is no spool. */
const MEMORY = 1_000;

/**
 * Records incidents with signature, decision and sanitised context, counts them, and keeps them on the disk while their
 * sink is away.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createDecisionTable, createIncidentRecorder, memoryIncidents } from "@hebra/flags/incident";
 *
 * const incidents = memoryIncidents();
 * const recorder = createIncidentRecorder({ sink: incidents, table: createDecisionTable([]), component: "ingest" });
 * recorder.record(new Error("boom"), { org: "acme", context: { password: "secret" } });
 * await recorder.close();
 * const [incident] = await incidents.list();
 * console.log(incident?.decision.action); // __UNMATCHED__
 * ```
 */
export function createIncidentRecorder(options: IncidentRecorderOptions): IncidentRecorder {
  const parsed = parseOptions("createIncidentRecorder", schema, options);
  const { sink, table, spool, versions, retryMs, onError } = parsed;
  const clock = parsed.clock ?? systemClock;
  const redactor = parsed.redactor ?? createRedactor();
  const newId = parsed.id ?? createIdGenerator(clock);
  const aggregate = createIncidentAggregator({ now: () => clock.now(), windowMs: parsed.windowMs });
  let fresh: Incident[] = [];
  let waiting = false;
  let working: Promise<boolean> | undefined;
  let cancel = () => {};
  let closed = false;

  async function handOver(): Promise<boolean> {
    const batch = fresh;
    fresh = [];
    try {
      // Older ones first; while they cannot be handed over, new ones queue behind them.
      if (spool !== undefined) await spool.drain((incidents) => sink.write(incidents));
      if (batch.length > 0) await sink.write(batch);
      waiting = fresh.length > 0;
      return !waiting;
    } catch (error) {
      onError(error);
      waiting = true;
      await setAside(batch);
      return false;
    }
  }

  async function setAside(batch: Incident[]): Promise<void> {
    if (spool === undefined) {
      fresh = [...batch, ...fresh].slice(-MEMORY);
      return;
    }
    for (const [at, incident] of batch.entries()) {
      try {
        await spool.append(incident);
      } catch (error) {
        onError(error);
        fresh = [...batch.slice(at), ...fresh].slice(-MEMORY);
        return;
      }
    }
  }

  function flush(): Promise<boolean> {
    working ??= handOver().finally(() => {
      working = undefined;
    });
    return working;
  }

  function schedule(): void {
    if (retryMs === 0 || closed) return;
    cancel = clock.after(
      retryMs,
      () => void (waiting || fresh.length > 0 ? flush() : Promise.resolve(true)).finally(schedule),
    );
  }
  // What an earlier life of the process left behind is handed over at once.
  if (spool !== undefined) waiting = true;
  schedule();

  return {
    record(error, about = {}) {
      const { component = parsed.component, context, kind = "error", id = newId(), ...known } = about;
      const signature = errorSignature(error, { component });
      const incident: Incident = {
        id,
        kind,
        at: new Date(clock.now()).toISOString(),
        ...known,
        signature,
        ...table.decide(signature),
        versions,
        context: context === undefined ? {} : redactor.redact(context),
      };
      aggregate.add(incident);
      fresh.push(incident);
      // A sink that is known to be away is left to the timer: an outage must not become a storm of attempts.
      if (!waiting) queueMicrotask(() => void (fresh.length > 0 ? flush() : undefined));
      else if (spool !== undefined) void setAside(fresh.splice(0));
      return incident;
    },
    success: (component = parsed.component) => aggregate.success(component),
    aggregate,
    async flush() {
      await working;
      return flush();
    },
    async close() {
      closed = true;
      cancel();
      await working;
      await flush();
    },
  };
}
